using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Cli.Watching;

/// <summary>One JSON line a finding when it begins and when it has ended; the same to a webhook, if there is one.</summary>
internal sealed class FindingReporter(TextWriter output, TextWriter errors, Uri? webhook, HttpClient http)
{
    private const int TriesMax = 3;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private Dictionary<(FindingKind, string), WatchFinding> _open = [];

    /// <summary>Tells what began and what ended since the last call.</summary>
    /// <param name="findings">All that is wrong now.</param>
    /// <param name="at">Now.</param>
    /// <param name="isWhole">False: nothing else could be seen, so that what is not among the findings has not ended.</param>
    /// <param name="cancel">Gives up on the webhook.</param>
    public async Task ReportAsync(IReadOnlyList<WatchFinding> findings, DateTimeOffset at, bool isWhole, CancellationToken cancel)
    {
        var now = findings.ToDictionary(finding => (finding.Kind, finding.Subject));
        foreach (var (key, finding) in now)
            if (!_open.ContainsKey(key)) await TellAsync(new Line(at, "open", finding), cancel);
        foreach (var (key, finding) in _open.Where(pair => !now.ContainsKey(pair.Key)))
        {
            if (isWhole) await TellAsync(new Line(at, "ended", finding), cancel);
            else now[key] = finding;
        }

        _open = now;
    }

    private async Task TellAsync(Line line, CancellationToken cancel)
    {
        await output.WriteLineAsync(JsonSerializer.Serialize(line.Flat(), Json));
        await output.FlushAsync(cancel);
        if (webhook is null) return;
        for (var tries = 1; ; tries++)
        {
            try
            {
                // The status is all that is asked for: a body may have any length, or no end.
                using var post = new HttpRequestMessage(HttpMethod.Post, webhook);
                post.Content = JsonContent.Create(line.Flat(), options: Json);
                using var answer = await http.SendAsync(post, HttpCompletionOption.ResponseHeadersRead, cancel);
                if (answer.IsSuccessStatusCode) return;
                if (tries < TriesMax) continue;
                await errors.WriteLineAsync($"The webhook answered {(int)answer.StatusCode}; given up after {tries} tries.");
                return;
            }
            catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
            {
                if (tries < TriesMax) continue;
                await errors.WriteLineAsync($"The webhook cannot be reached: {fault.Message} Given up after {tries} tries.");
                return;
            }
        }
    }

    private sealed record Line(DateTimeOffset At, string State, WatchFinding Finding)
    {
        public object Flat() => new { At, State, Finding.Kind, Finding.Subject, Finding.Since, Finding.Text };
    }
}
