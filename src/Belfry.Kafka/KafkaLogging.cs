using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>What the native client says, in the program's own logging.</summary>
internal static partial class KafkaLogging
{
    public static void Write(ILogger logger, LogMessage message)
    {
        // A connection that broke is a line a second while a broker is away: it is told of where an append or a poll fails.
        var level = message.Level switch
        {
            SyslogLevel.Emergency or SyslogLevel.Alert or SyslogLevel.Critical => LogLevel.Error,
            SyslogLevel.Error or SyslogLevel.Warning => message.Facility is "FAIL" or "ERROR" ? LogLevel.Information : LogLevel.Warning,
            _ => LogLevel.Debug,
        };
        Said(logger, level, message.Name, message.Facility, message.Message);
    }

    [LoggerMessage(EventId = 1303, Message = "{Client}: {Facility}: {Text}")]
    private static partial void Said(ILogger logger, LogLevel level, string client, string facility, string text);
}
