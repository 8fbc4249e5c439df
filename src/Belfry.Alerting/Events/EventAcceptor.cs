using Belfry.Alerting.Catalog;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Events;

/// <summary>
/// The accept hop: a body is parsed, counted against its integration's limit and given to the inlet for <c>incoming-events</c>. Any
/// thread. Group commit of many at a time is the log's. What became of a body is noted on the trail, if there is one.
/// </summary>
public sealed partial class EventAcceptor(
    EventInlet inlet, Topics topics, Func<CatalogSnapshot> catalog, RateLimiter limits, RefusedEvents refused, IdSource ids,
    TimeProvider time, ILogger<EventAcceptor> logger, EventTrail? trail = null)
{
    private static readonly TimeSpan RetryAfterFault = TimeSpan.FromSeconds(5);

    /// <summary>Completes once the event is durable or refused. Nothing is thrown for what a sender does or the log fails at.</summary>
    public ValueTask<AcceptResult> AcceptAsync(EventKind kind, ReadOnlyMemory<byte> body, string? headerKey, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        switch (EventParser.Parse(kind, body, headerKey, catalog(), now, ids.Next<EventId>()))
        {
            case ParsedEvent.Accepted accepted:
                var integration = accepted.Integration;
                if (limits.TryAccept(integration.Id, integration.EventsPerMinute, now) is { } wait)
                    return new(Limit(accepted, wait, now));
                return AppendAsync(accepted.Event, cancel);
            case ParsedEvent.Invalid invalid:
                Refuse(
                    invalid.Integration, new RefusedEvent(now, RefusalReason.Invalid, invalid.Errors, invalid.DedupKey, invalid.Summary));
                return new(new AcceptResult.Invalid(invalid.Errors));
            default:
                Refuse(null, new RefusedEvent(now, RefusalReason.Unrecognized, [EventErrors.NotJson], null, null));
                return new(new AcceptResult.Unrecognized());
        }
    }

    /// <summary>Refuses a body that was not read to its end.</summary>
    /// <param name="size">In bytes, as announced, or as many as were read.</param>
    /// <param name="headerKey">The X-Routing-Key header, to find its owner by.</param>
    public AcceptResult RefuseTooLarge(long size, string? headerKey)
    {
        string[] errors = [EventErrors.TooLarge(size)];
        var integration = headerKey is null ? null : catalog().IntegrationOf(headerKey);
        Refuse(integration, new RefusedEvent(time.GetUtcNow(), RefusalReason.TooLarge, errors, null, null));
        return new AcceptResult.Invalid(errors);
    }

    private async ValueTask<AcceptResult> AppendAsync(AlertEvent alertEvent, CancellationToken cancel)
    {
        try
        {
            await inlet.AppendAsync(EventRecords.Encode(alertEvent, topics), cancel);
            trail?.Received(alertEvent);
            return new AcceptResult.Accepted(alertEvent.Action == EventAction.Change ? null : alertEvent.DedupKey);
        }
        catch (Exception fault) when (fault is LogUnavailableException or StoreUnavailableException or TimeoutException)
        {
            LogAppendFailed(logger, alertEvent.Id, fault);
            return new AcceptResult.Unavailable(RetryAfterFault);
        }
    }

    private AcceptResult.Limited Limit(ParsedEvent.Accepted accepted, TimeSpan wait, DateTimeOffset now)
    {
        var limit = accepted.Integration.EventsPerMinute;
        Refuse(accepted.Integration, new RefusedEvent(
            now, RefusalReason.RateLimited, [$"Rate limit of {limit} events per minute exceeded"], accepted.Event.DedupKey,
            accepted.Event.Summary));
        return new AcceptResult.Limited(wait, limit);
    }

    private void Refuse(Integration? integration, RefusedEvent why)
    {
        var count = refused.Add(integration?.Id, why);
        trail?.Refused(integration?.Id, why);
        if (count > 0) LogRefused(logger, integration?.Id.ToString() ?? "none", count, why.Reason, string.Join("; ", why.Errors));
    }

    [LoggerMessage(
        101, LogLevel.Warning,
        "Integration {Integration} had {Count} events refused since the last such line; the newest, {Reason}: {Errors}")]
    private static partial void LogRefused(ILogger logger, string integration, long count, RefusalReason reason, string errors);

    [LoggerMessage(102, LogLevel.Error, "Event {EventId} was not made durable; its sender was told to come again")]
    private static partial void LogAppendFailed(ILogger logger, EventId eventId, Exception fault);
}
