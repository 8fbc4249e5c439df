using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>
/// What native clients say. It goes to the program's own logging, and the last that they said of a connection is kept for a while: what was
/// asked over one that never comes about ends as a timeout, which does not tell why. Any thread.
/// </summary>
internal sealed partial class ClientVoice(ILogger logger, TimeProvider time)
{
    // The client repeats a trouble that stays the same every 30 s. Source: librdkafka 2.15.1, rd_kafka_broker_set_error.
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(40);

    private volatile Trouble? _last;

    public void Hear(LogMessage message)
    {
        if (message.Facility == "FAIL")
            _last = new Trouble(WithoutThread(message.Message) + ConnectionHints.For(message.Message), time.GetTimestamp());
        // A connection that broke is a line a second while a broker is away: it is told of where an append or a poll fails.
        var level = message.Level switch
        {
            SyslogLevel.Emergency or SyslogLevel.Alert or SyslogLevel.Critical => LogLevel.Error,
            SyslogLevel.Error or SyslogLevel.Warning => message.Facility is "FAIL" or "ERROR" ? LogLevel.Information : LogLevel.Warning,
            _ => LogLevel.Debug,
        };
        Said(logger, level, message.Name, message.Facility, message.Message);
    }

    /// <summary>What may have kept a request from its answer, to go behind a sentence about that; empty when nothing is known.</summary>
    public string Why() => _last is { } last && time.GetElapsedTime(last.At) is var age && age < KeptFor
        ? string.Create(CultureInfo.InvariantCulture, $"; a connection failed {age.TotalSeconds:0.0} s before: {last.Text}")
        : "";

    /// <summary>The client puts the name of its thread before: <c>[thrd:name]: </c>.</summary>
    private static string WithoutThread(string text) =>
        text.StartsWith("[thrd:", StringComparison.Ordinal) && text.IndexOf("]: ", StringComparison.Ordinal) is > 0 and var end
            ? text[(end + 3)..]
            : text;

    [LoggerMessage(EventId = 1303, Message = "{Client}: {Facility}: {Text}")]
    private static partial void Said(ILogger logger, LogLevel level, string client, string facility, string text);

    private sealed record Trouble(string Text, long At);
}
