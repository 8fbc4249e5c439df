using System.Globalization;
using Belfry.Log;

namespace Belfry.Alerting.Planning;

/// <summary>Puts aside what could not be planned or delivered: the raw bytes and key, the reason and the attempts in headers.</summary>
internal static class DeadLetters
{
    public const string Reason = "reason";
    public const string Attempts = "attempts";
    public const string Source = "source";

    public static OutgoingRecord RecordOf(Topics topics, LogRecord record, string reason, int attempts) => new()
    {
        Topic = topics.NotificationsDeadLetters.Name,
        OrderingKey = record.Key ?? "",
        Value = record.Value,
        Headers =
        [
            .. record.Headers.Where(header => header.Key is not (Reason or Attempts or Source)),
            new(Reason, reason),
            new(Attempts, attempts.ToString(CultureInfo.InvariantCulture)),
            new(Source, record.ToString()),
        ],
    };
}
