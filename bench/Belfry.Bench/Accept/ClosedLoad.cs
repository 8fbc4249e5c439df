using System.Diagnostics;

namespace Belfry.Bench.Accept;

/// <summary>As many events as the server takes: each connection sends its next once the last is answered.</summary>
internal sealed class ClosedLoad(Uri server, int connections, Func<int, byte[]> requestOf)
{
    /// <summary>What came of a run.</summary>
    /// <param name="Accepted">Answers 202 within the time.</param>
    /// <param name="Refused">Any other answers.</param>
    /// <param name="Milliseconds">From the sending of each accepted event to its answer.</param>
    public sealed record Result(int Accepted, int Refused, List<double> Milliseconds);

    public async Task<Result> RunAsync(TimeSpan length, CancellationToken cancel)
    {
        var until = Stopwatch.GetTimestamp() + (long)(length.TotalSeconds * Stopwatch.Frequency);
        var parts = await Task.WhenAll(Enumerable.Range(0, connections).Select(at => SendAsync(at, until, cancel)));
        return new Result(
            parts.Sum(part => part.Accepted), parts.Sum(part => part.Refused), [.. parts.SelectMany(part => part.Milliseconds)]);
    }

    private async Task<Result> SendAsync(int first, long until, CancellationToken cancel)
    {
        var (refused, waits) = (0, new List<double>());
        using var connection = await RawConnection.OpenAsync(server, cancel);
        for (var number = first; ; number += connections)
        {
            var request = requestOf(number);
            var sentAt = Stopwatch.GetTimestamp();
            if (sentAt >= until) return new Result(waits.Count, refused, waits);
            var status = await connection.AskAsync(request, cancel);
            var answeredAt = Stopwatch.GetTimestamp();
            if (status != 202) refused++;
            else if (answeredAt <= until) waits.Add(Stopwatch.GetElapsedTime(sentAt, answeredAt).TotalMilliseconds);
        }
    }
}
