using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Alerting.Events;

[JsonConverter(typeof(JsonStringEnumConverter<EventAction>))]
public enum EventAction
{
    [JsonStringEnumMemberName("trigger")] Trigger,
    [JsonStringEnumMemberName("acknowledge")] Acknowledge,
    [JsonStringEnumMemberName("resolve")] Resolve,
    [JsonStringEnumMemberName("change")] Change,
}

[JsonConverter(typeof(JsonStringEnumConverter<Severity>))]
public enum Severity
{
    [JsonStringEnumMemberName("info")] Info,
    [JsonStringEnumMemberName("warning")] Warning,
    [JsonStringEnumMemberName("error")] Error,
    [JsonStringEnumMemberName("critical")] Critical,
}

/// <summary>
/// An accepted event as it stands on <c>incoming-events</c>, key: service id. Already checked and normalised: nothing after the accept
/// hop refuses it. A change event has <see cref="EventAction.Change"/> and neither dedup key nor severity.
/// </summary>
public sealed record AlertEvent
{
    public int Version { get; init; } = 1;
    public required EventId Id { get; init; }
    public required ServiceId ServiceId { get; init; }

    /// <summary>With <see cref="DedupKey"/> the scope of deduplication (a routing key names one integration).</summary>
    public required IntegrationId IntegrationId { get; init; }
    public required EventAction Action { get; init; }

    /// <summary>1 to 255 characters; empty for a change event.</summary>
    public required string DedupKey { get; init; }
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>At most 1,024 Unicode characters; empty on acknowledge and resolve without payload.</summary>
    public string Summary { get; init; } = "";

    /// <summary>The whole summary when it was cut.</summary>
    public string? FullSummary { get; init; }
    public string Source { get; init; } = "";
    public Severity? Severity { get; init; }

    /// <summary>The sender's time, else the time of receipt.</summary>
    public DateTimeOffset? Timestamp { get; init; }

    /// <summary>The sender's text when it could not be read as a time.</summary>
    public string? UnreadTimestamp { get; init; }
    public string? Component { get; init; }
    public string? Group { get; init; }
    public string? Class { get; init; }

    /// <summary>Any JSON value.</summary>
    public JsonElement? CustomDetails { get; init; }
    public IReadOnlyList<EventLink> Links { get; init; } = [];
    public IReadOnlyList<EventImage> Images { get; init; } = [];
    public string? Client { get; init; }
    public string? ClientUrl { get; init; }
}

public sealed record EventLink(string Href, string? Text);

public sealed record EventImage(string Src, string? Href, string? Alt);
