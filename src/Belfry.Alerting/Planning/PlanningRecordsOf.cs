using System.Buffers.Binary;
using Belfry.Alerting.People;
using Belfry.Alerting.Timeline;
using Belfry.Scheduling;

namespace Belfry.Alerting.Planning;

/// <summary>Makes what planning emits for an assignment. Every id follows from (incident, epoch, user, rule).</summary>
internal static class PlanningRecordsOf
{
    public static ScheduledTaskId TimerId(Assignment assignment, NotificationRuleId rule) =>
        new(assignment.UserId.ToString(), PlanningRuleHandler.TimerKind, $"{assignment.IncidentId}|{rule}");

    public static PlanningEffect.Schedule Timer(Assignment assignment, PlannedRule rule) => new(new ScheduledTask
    {
        Id = TimerId(assignment, rule.RuleId),
        DueAt = assignment.AssignedAt.AddMinutes(rule.DelayMinutes),
        Generation = assignment.Epoch,
        Payload = PlanningWire.Encode(new RuleTimer
        {
            UserId = assignment.UserId, IncidentId = assignment.IncidentId, Epoch = assignment.Epoch, RuleId = rule.RuleId,
        }),
    });

    /// <param name="assignment">Of what.</param>
    /// <param name="rule">The rule whose time has come.</param>
    /// <param name="method">The method as it is now.</param>
    /// <param name="at">The rule's time by plan, not by the clock, so that a repeat is the same notification.</param>
    public static PlanningEffect.Notify Notify(
        Assignment assignment, NotificationRuleId rule, ContactMethod method, DateTimeOffset at) => new(new Notification
    {
        Id = NotificationIdOf(assignment, rule, at),
        UserId = assignment.UserId,
        IncidentId = assignment.IncidentId,
        ServiceId = assignment.ServiceId,
        Epoch = assignment.Epoch,
        RuleId = rule,
        ContactMethodId = method.Id,
        Channel = ChannelOf(method),
        Address = method.Address,
        Urgency = assignment.Urgency,
        Level = assignment.Level,
        Title = assignment.Title,
        ServiceName = assignment.ServiceName,
        CreatedAt = at,
    });

    public static PlanningEffect.Tell Planned(Assignment assignment, PlannedRule rule, DateTimeOffset now)
    {
        var due = assignment.AssignedAt.AddMinutes(rule.DelayMinutes);
        var channel = ChannelOf(rule.Method);
        return new(Entry(
            assignment, $"planned/{assignment.UserId}/{rule.RuleId}/{assignment.Epoch}", LogEntryTypes.Notify, now,
            rule.DelayMinutes == 0
                ? $"Will notify by {channel} at once."
                : $"Will notify by {channel} at {due.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC.",
            new NotifyDetails
            {
                State = "planned", UserId = assignment.UserId, RuleId = rule.RuleId, ContactMethodId = rule.Method.Id, Channel = channel,
                Level = assignment.Level, NextAt = due,
                NotificationId = NotificationIdOf(assignment, rule.RuleId, due),
            }));
    }

    /// <param name="assignment">Of what.</param>
    /// <param name="epoch">The epoch whose plan this was.</param>
    /// <param name="rule">Null: the whole plan.</param>
    /// <param name="reason">Half a sentence.</param>
    /// <param name="now">Dates the entry.</param>
    public static PlanningEffect.Tell Skipped(
        Assignment assignment, long epoch, NotificationRuleId? rule, string reason, DateTimeOffset now) =>
        new(Entry(
            assignment, $"skipped/{assignment.UserId}/{rule?.ToString() ?? "plan"}/{epoch}", LogEntryTypes.Skipped, now,
            $"Not notified: {reason}.",
            new NotifyDetails { State = "skipped", UserId = assignment.UserId, RuleId = rule, Level = assignment.Level, Reason = reason }));

    private static string ChannelOf(ContactMethod method) => method.Type switch
    {
        ContactMethodType.Email => "email",
        ContactMethodType.Webhook => "webhook",
        _ => throw new FormatException($"Contact method {method.Id} has the unknown type {method.Type}."),
    };

    // Same parent and label, same id; the parent's time bits are moved to the notification's time, from which the delivery's day is read.
    private static NotificationId NotificationIdOf(Assignment assignment, NotificationRuleId rule, DateTimeOffset at)
    {
        Span<byte> parent = stackalloc byte[16];
        assignment.IncidentId.Value.TryWriteBytes(parent, bigEndian: true, out _);
        Span<byte> ms = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(ms, at.ToUnixTimeMilliseconds());
        ms[2..].CopyTo(parent);

        // The incident's own time bits would be lost with the prefix; the label keeps the whole id.
        return Id.Derive<NotificationId>(
            new Guid(parent, bigEndian: true), $"notify/{assignment.IncidentId}/{assignment.UserId}/{rule}/{assignment.Epoch}");
    }

    private static LogEntry Entry(
        Assignment assignment, string label, string type, DateTimeOffset now, string summary, NotifyDetails details) => new()
        {
            Id = Id.Derive<EventId>(assignment.IncidentId.Value, label),
            IncidentId = assignment.IncidentId,
            ServiceId = assignment.ServiceId,
            Type = type,
            At = now,
            Channel = "auto",
            Summary = summary,
            Details = details.ToJson(),
        };
}
