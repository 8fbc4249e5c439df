using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Deliveries;
using Belfry.Log;

namespace Belfry.Alerting.Dispatch;

/// <summary>
/// Tells the incident's timeline of every attempt and end, and asks for deliveries whether they are still wanted. Both read the
/// delivery's key. The audit channel stays silent unless it gives up: it repeats what another channel tells.
/// </summary>
/// <param name="log">Where the entries go.</param>
/// <param name="topics">The declared topics.</param>
/// <param name="whyNot">Null: still wanted; else the reason, such as <c>acknowledged</c>.</param>
/// <param name="time">Dates the entries.</param>
internal sealed class DeliveryReporter(
    IPartitionedLog log, Topics topics, Func<IncidentId, UserId, long, CancellationToken, ValueTask<string?>> whyNot, TimeProvider time)
{
    private const int ReasonMax = 300;

    public ValueTask<string?> StillWantedAsync(Delivery delivery, CancellationToken cancel)
    {
        if (delivery.Channel == NotificationDecoder.AuditChannel) return ValueTask.FromResult<string?>(null);
        var key = KeyOf(delivery);
        return whyNot(key.IncidentId, key.UserId, key.Epoch, cancel);
    }

    /// <summary>Done once the entry is durable. A repeat has the same id and is folded once.</summary>
    public async ValueTask ReportAsync(DeliveryEvent report, CancellationToken cancel)
    {
        if (report.Delivery.Channel == NotificationDecoder.AuditChannel && report.State != DeliveryState.Dead) return;
        var entry = EntryOf(report, time.GetUtcNow());
        await log.AppendAsync(
            [
                new OutgoingRecord
                {
                    Topic = topics.IncidentLog.Name, OrderingKey = entry.IncidentId.ToString(), Value = PlanningWire.Encode(entry),
                },
            ],
            cancel);
    }

    internal static LogEntry EntryOf(DeliveryEvent report, DateTimeOffset now)
    {
        var key = KeyOf(report.Delivery);
        var state = StateName(report.State);
        var reason = report.Reason is { } text ? PlainText.OneLine(text, ReasonMax) : null;
        return new LogEntry
        {
            Id = Id.Derive<EventId>(key.NotificationId.Value, $"{key.Channel}/{state}/{report.Attempt}"),
            IncidentId = key.IncidentId,
            ServiceId = key.ServiceId,
            Type = report.State == DeliveryState.Skipped ? LogEntryTypes.Skipped : LogEntryTypes.Notify,
            At = now,
            Channel = key.Channel,
            Summary = SummaryOf(report, key.Channel, reason),
            Details = new NotifyDetails
            {
                State = state, UserId = key.UserId, NotificationId = key.NotificationId, Channel = key.Channel, Attempt = report.Attempt,
                Reason = reason, ProviderReference = report.ProviderReference, NextAt = report.NextAt,
            }.ToJson(),
        };
    }

    private static string SummaryOf(DeliveryEvent report, string channel, string? reason) => report.State switch
    {
        DeliveryState.Sending => $"Sending by {channel}, attempt {report.Attempt}.",
        DeliveryState.Sent => $"Notified by {channel}, attempt {report.Attempt}.",
        DeliveryState.Retry when report.NextAt is { } next =>
            $"Delayed: attempt {report.Attempt} by {channel} failed ({reason}); " +
                $"the next one is at {next.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC.",
        DeliveryState.Retry => $"Delayed: attempt {report.Attempt} by {channel} failed ({reason}).",
        DeliveryState.Unknown => $"It is unknown whether attempt {report.Attempt} by {channel} arrived: {reason}.",
        DeliveryState.Dead => $"Not notified by {channel} after {report.Attempt} attempts, given up: {reason}.",
        DeliveryState.Skipped => $"Not notified by {channel}: {reason}.",
        _ => throw new InvalidOperationException($"{report.State} is no state of a delivery."),
    };

    private static string StateName(DeliveryState state) => state switch
    {
        DeliveryState.Sending => "sending",
        DeliveryState.Sent => "sent",
        DeliveryState.Retry => "retry",
        DeliveryState.Unknown => "unknown",
        DeliveryState.Dead => "dead",
        DeliveryState.Skipped => "skipped",
        _ => throw new InvalidOperationException($"{state} is no state of a delivery."),
    };

    private static DeliveryKey KeyOf(Delivery delivery) => DeliveryKey.TryParse(delivery.IdempotencyKey, out var key)
        ? key
        : throw new InvalidOperationException($"Delivery '{delivery.IdempotencyKey}' was not made by {nameof(NotificationDecoder)}.");
}
