namespace Belfry.Alerting.Incidents;

/// <summary>What can happen to an incident, timers by name.</summary>
internal enum IncidentInput
{
    Acknowledge, Resolve, Escalate, Reassign, Snooze, Note, Reopen,
    EscalateTimer, UnacknowledgeTimer, AutoResolveTimer, SnoozeTimer,
}

/// <summary>What is done about it.</summary>
internal enum IncidentAct
{
    /// <summary>Nothing is left to do; said in the timeline when a person asked.</summary>
    Nothing,

    /// <summary>A timer of a state that has passed.</summary>
    Stale,

    /// <summary>Makes no sense in this status; said in the timeline.</summary>
    Refuse,

    Acknowledge, Resolve, EscalateByHand, Reassign, Snooze, Note, Reopen, NextLevel, Unacknowledge,
}

/// <summary>
/// The one table of status and input. Source: events reference section 5, on-call rules sections 1 and 2.
/// <code>
///   triggered    -- acknowledge, snooze -->                                        acknowledged
///   acknowledged -- acknowledgement timeout, end of snooze, escalate, reassign --> triggered
///   either       -- resolve, auto-resolve, last open alert resolved -->            resolved
///   resolved     -- reopen, by hand only -->                                       triggered or acknowledged
/// </code>
/// </summary>
internal static class IncidentTransitions
{
    private static readonly IncidentAct[] Triggered =
    [
        IncidentAct.Acknowledge, IncidentAct.Resolve, IncidentAct.EscalateByHand, IncidentAct.Reassign, IncidentAct.Snooze,
        IncidentAct.Note,
        IncidentAct.Refuse, IncidentAct.NextLevel, IncidentAct.Stale, IncidentAct.Resolve, IncidentAct.Stale,
    ];

    private static readonly IncidentAct[] Acknowledged =
    [
        IncidentAct.Nothing, IncidentAct.Resolve, IncidentAct.EscalateByHand, IncidentAct.Reassign, IncidentAct.Snooze, IncidentAct.Note,
        IncidentAct.Refuse, IncidentAct.Stale, IncidentAct.Unacknowledge, IncidentAct.Resolve, IncidentAct.Unacknowledge,
    ];

    private static readonly IncidentAct[] Resolved =
    [
        IncidentAct.Nothing, IncidentAct.Nothing, IncidentAct.Refuse, IncidentAct.Refuse, IncidentAct.Refuse, IncidentAct.Note,
        IncidentAct.Reopen, IncidentAct.Stale, IncidentAct.Stale, IncidentAct.Stale, IncidentAct.Stale,
    ];

    public static IncidentAct Of(IncidentStatus status, IncidentInput input) => status switch
    {
        IncidentStatus.Triggered => Triggered[(int)input],
        IncidentStatus.Acknowledged => Acknowledged[(int)input],
        IncidentStatus.Resolved => Resolved[(int)input],
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "Unknown incident status."),
    };

    public static IncidentInput InputOf(IncidentCommand command) => (command.Kind, command.Timer) switch
    {
        (CommandKind.Acknowledge, _) => IncidentInput.Acknowledge,
        (CommandKind.Resolve, _) => IncidentInput.Resolve,
        (CommandKind.Escalate, _) => IncidentInput.Escalate,
        (CommandKind.Reassign, _) => IncidentInput.Reassign,
        (CommandKind.Snooze, _) => IncidentInput.Snooze,
        (CommandKind.Note, _) => IncidentInput.Note,
        (CommandKind.Reopen, _) => IncidentInput.Reopen,
        (CommandKind.TimerFired, IncidentTimer.Escalate) => IncidentInput.EscalateTimer,
        (CommandKind.TimerFired, IncidentTimer.Unacknowledge) => IncidentInput.UnacknowledgeTimer,
        (CommandKind.TimerFired, IncidentTimer.AutoResolve) => IncidentInput.AutoResolveTimer,
        (CommandKind.TimerFired, IncidentTimer.Snooze) => IncidentInput.SnoozeTimer,
        _ => throw new ArgumentOutOfRangeException(
            nameof(command), command.Kind, "A command has a known kind, and a fired timer names which."),
    };
}
