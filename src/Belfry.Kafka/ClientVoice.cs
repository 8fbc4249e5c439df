using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>
/// What native clients say. It goes to the program's own logging, and the last that they said of a broker's connection is kept for a while:
/// what was asked over one that never comes about ends as a timeout, which does not tell why. Any thread.
/// </summary>
/// <param name="logger">The program's.</param>
/// <param name="time">Of how long ago it was.</param>
/// <param name="tls">The clients speak TLS.</param>
/// <param name="signsIn">The clients have a login.</param>
internal sealed partial class ClientVoice(ILogger logger, TimeProvider time, bool tls, bool signsIn)
{
    // The client repeats a trouble that stays the same every 30 s. Source: librdkafka 2.15.1, rd_kafka_broker_set_error.
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(40);

    // Above it the oldest is forgotten.
    private const int BrokersMax = 16;

    private const string Coordinator = "GroupCoordinator";

    private readonly Lock _lock = new();

    // Under the lock: each broker's last, the newest last.
    private readonly List<Trouble> _last = [];

    public void Hear(LogMessage message)
    {
        if (message.Facility == "FAIL") Keep(WithoutThread(message.Message));
        // A connection that broke is a line a second while a broker is away: it is told of where an append or a poll fails.
        var level = message.Level switch
        {
            SyslogLevel.Emergency or SyslogLevel.Alert or SyslogLevel.Critical => LogLevel.Error,
            SyslogLevel.Error or SyslogLevel.Warning => message.Facility is "FAIL" or "ERROR" ? LogLevel.Information : LogLevel.Warning,
            _ => LogLevel.Debug,
        };
        Said(logger, level, message.Name, message.Facility, message.Message);
    }

    /// <summary>
    /// What may have kept a request from its answer, to go behind a sentence about that; empty when nothing is known. It is of the broker
    /// that failed last, which need not be the one that was asked: so it is named, and how many others failed.
    /// </summary>
    public string Why()
    {
        List<Trouble> recent;
        lock (_lock) recent = _last.FindAll(trouble => time.GetElapsedTime(trouble.At) < KeptFor);
        if (recent.Count == 0) return "";
        var last = recent[^1];
        var whose = last.Broker.Length > 0 ? $" to {last.Broker}" : "";
        var others = recent.Count > 1 ? $" (and to {recent.Count - 1} more)" : "";
        var before = time.GetElapsedTime(last.At).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        return $"; a connection{whose} failed {before} s before{others}: {last.Text}";
    }

    /// <summary>A client did not end in order.</summary>
    public void EndFailed(Exception fault) => EndFailed(logger, fault);

    /// <summary>A client has not ended by now.</summary>
    public void EndsLate(TimeSpan waited) => EndsLate(logger, waited);

    private void Keep(string said)
    {
        var broker = BrokerOf(said);
        lock (_lock)
        {
            _last.RemoveAll(trouble => trouble.Broker == broker);
            _last.Add(new Trouble(broker, said + ConnectionHints.For(said, tls, signsIn), time.GetTimestamp()));
            if (_last.Count > BrokersMax) _last.RemoveAt(0);
        }
    }

    /// <summary>
    /// The client puts the broker's name before, as <c>ssl://host:port/1: </c>; what stands behind the port tells how it was learnt of, and
    /// may be two things of one broker. A connection to a group's coordinator has a name of its own, with or without the broker's number,
    /// and the broker's behind it, as <c>GroupCoordinator/1: host:port: </c> (librdkafka 2.15.1, rd_kafka_broker_set_nodename and
    /// rd_kafka_broker_set_error). Empty: none is named.
    /// </summary>
    private static string BrokerOf(string said)
    {
        if (said.StartsWith(Coordinator, StringComparison.Ordinal) && said.IndexOf(": ", StringComparison.Ordinal) is > 0 and var behind
            && said.IndexOf(": ", behind + 2, StringComparison.Ordinal) > 0)
            said = said[(behind + 2)..];
        var name = said.IndexOf(": ", StringComparison.Ordinal) is > 0 and var end ? said[..end] : "";
        if (name.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme) name = name[(scheme + 3)..];
        return name.LastIndexOf('/') is > 0 and var place ? name[..place] : name;
    }

    /// <summary>The client puts the name of its thread before: <c>[thrd:name]: </c>.</summary>
    private static string WithoutThread(string text) =>
        text.StartsWith("[thrd:", StringComparison.Ordinal) && text.IndexOf("]: ", StringComparison.Ordinal) is > 0 and var end
            ? text[(end + 3)..]
            : text;

    [LoggerMessage(EventId = 1303, Message = "{Client}: {Facility}: {Text}")]
    private static partial void Said(ILogger logger, LogLevel level, string client, string facility, string text);

    [LoggerMessage(1304, LogLevel.Warning, "A Kafka client could not be ended in order")]
    private static partial void EndFailed(ILogger logger, Exception fault);

    [LoggerMessage(1305, LogLevel.Warning, "Ending Kafka clients takes longer than {Waited}; it goes on in the background")]
    private static partial void EndsLate(ILogger logger, TimeSpan waited);

    private sealed record Trouble(string Broker, string Text, long At);
}
