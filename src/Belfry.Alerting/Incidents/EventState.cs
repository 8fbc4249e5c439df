using Belfry.Alerting.Events;

namespace Belfry.Alerting.Incidents;

/// <summary>What became of one accepted event or command.</summary>
/// <param name="Id">Its id.</param>
/// <param name="IntegrationId">Null for a command.</param>
/// <param name="DedupKey">Empty for a command or a change event.</param>
/// <param name="Progress">How far it came.</param>
/// <param name="Reason">Why it failed, or why it changed nothing; null when it took effect.</param>
/// <param name="IncidentId">The incident it opened or touched, if any.</param>
/// <param name="At">When it was processed, UTC.</param>
public sealed record EventState(
    EventId Id, IntegrationId? IntegrationId, string DedupKey, EventProgress Progress, string? Reason, IncidentId? IncidentId,
    DateTimeOffset At);
