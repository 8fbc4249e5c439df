using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Timeline;

namespace Belfry.Server.Incidents;

/// <summary>One incident as its page shows it: the newest <see cref="EntriesMax"/> timeline entries, newest first.</summary>
public sealed record IncidentModel(
    NumberedIncident Numbered, IReadOnlyList<TimelineEntry> Timeline, long TimelineTotal, CatalogSnapshot Catalog)
{
    public const int EntriesMax = 500;

    public Incident Incident => Numbered.Incident;

    /// <summary>A user's name, or a stand-in when the user is gone.</summary>
    public string NameOf(UserId id) => Catalog.User(id)?.Name ?? "a former user";

    /// <summary>What happens next by itself, for people; null when nothing does.</summary>
    public (string Text, DateTimeOffset At)? Next => PendingAction.Of(Incident) is [var first, ..]
        ? (first.Type switch
        {
            "escalate" => Incident.Level < Incident.Policy.Levels.Count
                ? $"Escalates to level {Incident.Level + 1}"
                : "Escalates past the last level",
            "unacknowledge" => Incident.SnoozedUntil is null ? "Triggers again, unless resolved" : "Wakes from snooze",
            _ => "Resolves by itself",
        }, first.At)
        : null;

    public string TargetName(EscalationTarget target) => target.Kind == TargetKind.User
        ? NameOf(new UserId(target.Id))
        : Catalog.Schedule(new ScheduleId(target.Id))?.Name ?? "a former schedule";
}
