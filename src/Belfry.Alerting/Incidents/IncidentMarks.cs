using Belfry.Alerting.Events;

namespace Belfry.Alerting.Incidents;

/// <summary>What a committed turn made of events, for their trail. Commands have none.</summary>
internal static class IncidentMarks
{
    public static void Note(EventTrail trail, IReadOnlyList<DecodedInput> inputs, IncidentTurn turn)
    {
        foreach (var input in inputs)
            if (input.Fault is { } fault) trail.Moved(Failed(input, fault, turn.Now));
            else if (input.Event is { } alertEvent) trail.Ended(alertEvent.Id);
    }

    private static EventMark Failed(DecodedInput input, string fault, DateTimeOffset now) => input.Event is { } alertEvent
        ? EventMark.Of(alertEvent, EventProgress.Failed, now) with { Reason = fault }
        : new EventMark { Id = IncidentDecoder.IdOf(input.Record), Progress = EventProgress.Failed, At = now, Reason = fault };
}
