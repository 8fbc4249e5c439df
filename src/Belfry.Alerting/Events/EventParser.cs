using System.Text;
using Belfry.Alerting.Catalog;

namespace Belfry.Alerting.Events;

/// <summary>
/// Turns a body into an event, or says all that is wrong with it. Pure. Strict where PagerDuty is strict, so that a sender that works
/// with one works with the other; lenient wherever a refusal would lose a page. Source: events API contract, sections 2, 3, 4 and 8.
/// </summary>
public static class EventParser
{
    public const int BodyBytesMax = 524_288;
    public const int DepthMax = 32;
    public const int SummaryCharactersMax = 1_024;
    public const int DedupKeyCharactersMax = 255;
    private const int RoutingKeyLength = 32;

    /// <param name="kind">The inlet.</param>
    /// <param name="body">At most <see cref="BodyBytesMax"/>, which the caller has checked. Not kept.</param>
    /// <param name="headerKey">The X-Routing-Key header: counts when the body has no <c>routing_key</c>.</param>
    /// <param name="catalog">Knows the integrations.</param>
    /// <param name="now">Time of receipt.</param>
    /// <param name="id">The event's id if it is accepted; also the dedup key of a trigger without one.</param>
    public static ParsedEvent Parse(
        EventKind kind, ReadOnlyMemory<byte> body, string? headerKey, CatalogSnapshot catalog, DateTimeOffset now, EventId id)
    {
        if (JsonBody.Normalise(body) is not { } json || !EventDraft.TryRead(json.Span, out var draft))
            return new ParsedEvent.Unrecognized();
        var errors = new List<string>(0);
        var integration = CheckRoutingKey(draft.RoutingKey, headerKey, catalog, errors);
        var action = kind == EventKind.Change ? EventAction.Change : CheckAction(draft.Action, errors);
        if (kind == EventKind.Alert) CheckDedupKey(draft.DedupKey, action, errors);
        CheckPayload(draft.Payload, action, errors);
        if (errors.Count > 0) return new ParsedEvent.Invalid(errors, integration, draft.DedupKey.OrNull, draft.Payload?.Summary.OrNull);
        return new ParsedEvent.Accepted(Compose(draft, action!.Value, integration!, now, id), integration!);
    }

    private static Integration? CheckRoutingKey(DraftText sent, string? headerKey, CatalogSnapshot catalog, List<string> errors)
    {
        if (sent.IsStructure)
        {
            errors.Add(EventErrors.NoText("routing_key"));
            return null;
        }

        var key = sent.OrNull ?? headerKey;
        if (string.IsNullOrWhiteSpace(key))
        {
            errors.Add(EventErrors.Missing("routing_key"));
            return null;
        }

        var rightLength = key.Length == RoutingKeyLength;
        var alphanumeric = key.All(char.IsAsciiLetterOrDigit);
        if (!rightLength) errors.Add(EventErrors.RoutingKeyLength);
        if (!alphanumeric) errors.Add(EventErrors.RoutingKeyCharacters);
        if (!rightLength || !alphanumeric) return null;
        var integration = catalog.IntegrationOf(key);
        if (integration is { Enabled: true } && catalog.Service(integration.ServiceId) is not null) return integration;
        errors.Add(EventErrors.RoutingKeyUnknown);
        return null;
    }

    private static EventAction? CheckAction(DraftText sent, List<string> errors)
    {
        switch (sent.Text)
        {
            case "trigger": return EventAction.Trigger;
            case "acknowledge": return EventAction.Acknowledge;
            case "resolve": return EventAction.Resolve;
        }

        errors.Add(sent.IsBlank ? EventErrors.Missing("event_action") : EventErrors.ActionInvalid);
        return null;
    }

    private static void CheckDedupKey(DraftText sent, EventAction? action, List<string> errors)
    {
        if (sent.IsStructure) errors.Add(EventErrors.NoText("dedup_key"));
        else if (sent.IsBlank && action is EventAction.Acknowledge or EventAction.Resolve) errors.Add(EventErrors.Missing("dedup_key"));
        else if (sent.Text is { } key && CutAt(key, DedupKeyCharactersMax) < key.Length) errors.Add(EventErrors.DedupKeyLength);
    }

    // Of an unknown action the payload is checked when there is one, so that a sender learns of all faults at once.
    private static void CheckPayload(PayloadDraft? payload, EventAction? action, List<string> errors)
    {
        if (action is EventAction.Acknowledge or EventAction.Resolve || (action is null && payload is null)) return;
        payload ??= PayloadDraft.Empty;
        CheckText(payload.Summary, "payload.summary", errors);
        if (action is EventAction.Change) return;
        CheckText(payload.Source, "payload.source", errors);
        if (payload.Severity.IsBlank) errors.Add(EventErrors.Missing("payload.severity"));
        else if (SeverityOf(payload.Severity) is null) errors.Add(EventErrors.SeverityInvalid);
    }

    private static void CheckText(DraftText sent, string field, List<string> errors)
    {
        if (sent.IsStructure) errors.Add(EventErrors.NoText(field));
        else if (sent.IsBlank) errors.Add(EventErrors.Missing(field));
    }

    private static Severity? SeverityOf(DraftText sent) => sent.Text switch
    {
        "critical" => Severity.Critical,
        "error" => Severity.Error,
        "warning" => Severity.Warning,
        "info" => Severity.Info,
        _ => null,
    };

    private static AlertEvent Compose(EventDraft draft, EventAction action, Integration integration, DateTimeOffset now, EventId id)
    {
        var payload = draft.Payload ?? PayloadDraft.Empty;
        var summary = payload.Summary.OrNull ?? "";
        var cut = CutAt(summary, SummaryCharactersMax);
        var sentTime = payload.Timestamp.OrNull;
        var timestamp = now;
        var timeIsRead = sentTime is not null && EventTimestamp.TryRead(sentTime, out timestamp);
        return new AlertEvent
        {
            Id = id,
            ServiceId = integration.ServiceId,
            IntegrationId = integration.Id,
            Action = action,
            DedupKey = action == EventAction.Change ? "" : draft.DedupKey.OrNull ?? id.ToString(),
            ReceivedAt = now,
            Summary = cut < summary.Length ? summary[..cut] : summary,
            FullSummary = cut < summary.Length ? summary : null,
            Source = payload.Source.OrNull ?? "",
            Severity = action == EventAction.Change ? null : SeverityOf(payload.Severity),
            Timestamp = timeIsRead ? timestamp : now,
            UnreadTimestamp = timeIsRead ? null : sentTime,
            Component = payload.Component.OrNull,
            Group = payload.Group.OrNull,
            Class = payload.Class.OrNull,
            CustomDetails = payload.CustomDetails,
            Links = draft.Links ?? [],
            Images = draft.Images ?? [],
            Client = draft.Client.OrNull,
            ClientUrl = EventAttachments.IsWebAddress(draft.ClientUrl.OrNull, httpsOnly: false) ? draft.ClientUrl.OrNull : null,
        };
    }

    /// <summary>The length of the longest start of a text that has at most so many Unicode characters.</summary>
    internal static int CutAt(string text, int charactersMax)
    {
        if (text.Length <= charactersMax) return text.Length;
        var at = 0;
        for (var count = 0; count < charactersMax && at < text.Length; count++)
            at += Rune.TryGetRuneAt(text, at, out var rune) ? rune.Utf16SequenceLength : 1;
        return at;
    }
}
