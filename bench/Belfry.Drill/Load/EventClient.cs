using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Belfry.Drill.Check;

namespace Belfry.Drill.Load;

/// <summary>What a client makes of an answer: <c>Fail</c> only where nothing can have happened.</summary>
internal readonly record struct Answer(Outcome Outcome, string Text);

/// <summary>Sends requests to one instance, each once and within five seconds.</summary>
internal sealed class EventClient : IDisposable
{
    /// <summary>Of an answer that did not come in time.</summary>
    public const string NoAnswer = "no answer";

    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(5);
    private readonly HttpClient _http;

    public EventClient(Uri url) => _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(1) })
    {
        BaseAddress = url,
        Timeout = AnswerMax,
    };

    public Task<Answer> EventAsync(string routingKey, Operation operation, string key, long value, CancellationToken cancel)
    {
        var action = operation switch
        {
            Operation.Trigger => "trigger",
            Operation.Acknowledge => "acknowledge",
            _ => "resolve",
        };
        var text = HistoryIndex.TextOf(key, value);
        return SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v2/enqueue")
        {
            Content = Json($$$"""
                {"routing_key":"{{{routingKey}}}","event_action":"{{{action}}}","dedup_key":"{{{key}}}",
                "payload":{"summary":"{{{text}}}","source":"drill","severity":"critical"} }
                """),
        }, cancel);
    }

    /// <param name="incident">Its id.</param>
    /// <param name="length">Whole seconds.</param>
    /// <param name="email">Whose deed it is: that person has the incident from then on.</param>
    /// <param name="token">An administrator's.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task<Answer> SnoozeAsync(
        string incident, TimeSpan length, string email, AuthenticationHeaderValue token, CancellationToken cancel)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/api/incidents/{incident}/snooze")
        {
            Content = Json(string.Create(CultureInfo.InvariantCulture, $$"""{"duration":{{(int)length.TotalSeconds}}}""")),
        };
        request.Headers.Authorization = token;
        request.Headers.From = email;
        return SendAsync(request, cancel);
    }

    public void Dispose() => _http.Dispose();

    private async Task<Answer> SendAsync(HttpRequestMessage request, CancellationToken cancel)
    {
        using (request)
        {
            try
            {
                using var answer = await _http.SendAsync(request, cancel);
                var status = (int)answer.StatusCode;
                return new Answer(
                    answer.IsSuccessStatusCode ? Outcome.Ok : status is >= 400 and < 500 and not 408 ? Outcome.Fail : Outcome.Unknown,
                    status.ToString(CultureInfo.InvariantCulture));
            }
            catch (HttpRequestException fault) when (fault.HttpRequestError == HttpRequestError.ConnectionError)
            {
                return new Answer(Outcome.Fail, "no connection");
            }
            catch (HttpRequestException fault)
            {
                return new Answer(Outcome.Unknown, fault.HttpRequestError.ToString());
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                return new Answer(Outcome.Unknown, NoAnswer);
            }
        }
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
