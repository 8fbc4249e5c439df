using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Belfry.Alerting.Events;

namespace Belfry.Server.Events;

/// <summary>An answer of the event routes: status, the three or four fields of its body, and when to come again.</summary>
internal readonly record struct EventReply(
    int Code, string Status, string Message, string? DedupKey, IReadOnlyList<string>? Errors, TimeSpan? RetryAfter, bool Close = false);

/// <summary>The answers in PagerDuty's words; clients compare and print them. Contract: events API, section 4.</summary>
internal static class EventReplies
{
    public static EventReply Unrecognized { get; } = new(
        StatusCodes.Status400BadRequest, "Unrecognized object", "Event object format is unrecognized", null, [EventErrors.NotJson], null);

    public static EventReply TooSlow { get; } = new(
        StatusCodes.Status408RequestTimeout, "request timeout", "The body did not arrive within 20 seconds", null, ["Request timed out"],
        null, true);

    public static EventReply Of(AcceptResult result) => result switch
    {
        AcceptResult.Accepted accepted => new(StatusCodes.Status202Accepted, "success", "Event processed", accepted.DedupKey, null, null),
        AcceptResult.Invalid invalid => new(
            StatusCodes.Status400BadRequest, "invalid event", "Event object is invalid", null, invalid.Errors, null),
        AcceptResult.Unrecognized => Unrecognized,
        AcceptResult.Limited limited => new(
            StatusCodes.Status429TooManyRequests, "throttle exceeded",
            "Requests for this service are arriving too quickly. Please retry later.", null,
            [$"Rate limit of {limited.EventsPerMinute} events per minute exceeded"], limited.RetryAfter),
        AcceptResult.Unavailable unavailable => new(
            StatusCodes.Status503ServiceUnavailable, "unavailable", "The event could not be made durable. Please retry later.", null,
            ["Event log is unavailable"], unavailable.RetryAfter),
        _ => throw new ArgumentOutOfRangeException(nameof(result), result, "No answer for it."),
    };

    public static async ValueTask WriteAsync(HttpResponse response, EventReply reply)
    {
        response.StatusCode = reply.Code;
        response.Headers.XContentTypeOptions = "nosniff";
        response.ContentType = "application/json; charset=utf-8";
        if (reply.RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (reply.Close) response.Headers.Connection = "close";
        Fill(response, reply);
        await response.BodyWriter.FlushAsync();
    }

    // One a thread: the bytes are copied before anything is awaited.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _bytes;

    private static void Fill(HttpResponse response, EventReply reply)
    {
        var bytes = _bytes ??= new ArrayBufferWriter<byte>(512);
        bytes.ResetWrittenCount();
        Compose(bytes, reply);
        response.ContentLength = bytes.WrittenCount;
        response.BodyWriter.Write(bytes.WrittenSpan);
    }

    // People search for the texts: apostrophes stay as they are. It is JSON, never sniffed as anything else.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static void Compose(IBufferWriter<byte> bytes, EventReply reply)
    {
        using var json = new Utf8JsonWriter(bytes, Plain);
        json.WriteStartObject();
        json.WriteString("status"u8, reply.Status);
        json.WriteString("message"u8, reply.Message);
        if (reply.DedupKey is not null) json.WriteString("dedup_key"u8, reply.DedupKey);
        if (reply.Errors is not null)
        {
            json.WriteStartArray("errors"u8);
            foreach (var error in reply.Errors) json.WriteStringValue(error);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
