using System.Text.Json.Serialization;

namespace Belfry.Alerting.Catalog;

[JsonConverter(typeof(JsonStringEnumConverter<UrgencyRule>))]
public enum UrgencyRule
{
    [JsonStringEnumMemberName("high")] AlwaysHigh,
    [JsonStringEnumMemberName("low")] AlwaysLow,
    [JsonStringEnumMemberName("severity_based")] BySeverity,
}

/// <summary>What is watched: it has one escalation policy and any number of integrations.</summary>
/// <param name="Id">Its id; the ordering key of its events and commands.</param>
/// <param name="Name">1 to 255 characters.</param>
/// <param name="Description">May be empty.</param>
/// <param name="PolicyId">Who is paged.</param>
/// <param name="Urgency">How urgent its incidents are.</param>
/// <param name="AcknowledgementTimeoutSeconds">Null or 0: off. Default 1,800.</param>
/// <param name="AutoResolveSeconds">Null or 0: off. Default 14,400.</param>
public sealed record Service(
    ServiceId Id, string Name, string Description, PolicyId PolicyId, UrgencyRule Urgency,
    int? AcknowledgementTimeoutSeconds, int? AutoResolveSeconds);

/// <summary>An inlet of a service. A routing key (32 alphanumeric characters) names exactly one.</summary>
/// <param name="EventsPerMinute">Sliding-window limit of accepted events; default 7,200.</param>
public sealed record Integration(
    IntegrationId Id, ServiceId ServiceId, string Name, string RoutingKey, bool Enabled, int EventsPerMinute);

/// <summary>Levels 1..n, gone through once and then <paramref name="NumLoops"/> times more.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">1 to 255 characters.</param>
/// <param name="NumLoops">Repeats after the first run, 0 to 9.</param>
/// <param name="Levels">1 to 50.</param>
public sealed record EscalationPolicy(PolicyId Id, string Name, int NumLoops, IReadOnlyList<EscalationLevel> Levels);

/// <summary>All targets are assigned; after the delay (minutes, 1 to 1,440) without acknowledgement the next level is.</summary>
public sealed record EscalationLevel(int DelayMinutes, IReadOnlyList<EscalationTarget> Targets);

[JsonConverter(typeof(JsonStringEnumConverter<TargetKind>))]
public enum TargetKind { [JsonStringEnumMemberName("user")] User, [JsonStringEnumMemberName("schedule")] Schedule }

/// <summary>A user, or whoever is on call in a schedule when the level is entered.</summary>
public sealed record EscalationTarget(TargetKind Kind, Guid Id);
