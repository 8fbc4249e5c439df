namespace Belfry.Drill.Check;

/// <summary>
/// Each accepted event is in the timeline of an incident of its key, as often as it was accepted and no more often than it was sent
/// (A1-A3); those of a key are there in the order in which they were accepted (B2).
/// </summary>
internal static class EventChecks
{
    public static void Check(DrillHistory history, HistoryIndex index, Verdict verdict)
    {
        foreach (var key in index.Keys)
        {
            var triggers = index.AttemptsOf[key].Where(attempt => attempt.Operation == Operation.Trigger)
                .ToLookup(attempt => HistoryIndex.TextOf(key, attempt.Value), StringComparer.Ordinal);
            var lines = LinesOf(index, key);
            Counts(key, triggers, lines, verdict);
            Order(triggers, lines, verdict);
            OneIncident(index, key, verdict);
            Ends(index, key, verdict);
        }

        verdict.Figure("events.accepted", history.Attempts.Count(a => a is { Outcome: Outcome.Ok, Operation: not Operation.Snooze }));
        verdict.Figure(
            "events.unanswered", history.Attempts.Count(a => a is { Outcome: Outcome.Unknown, Operation: not Operation.Snooze }));
    }

    /// <summary>Every trigger line of a key's incidents by its text: its places, counted over all of them.</summary>
    private static ILookup<string, int> LinesOf(HistoryIndex index, string key) => index.IncidentsOf[key]
        .SelectMany(incident => incident.Entries).Where(entry => entry.Type == "trigger").Select((entry, place) => (entry, place))
        .ToLookup(line => HistoryIndex.TextOf(line.entry), line => line.place, StringComparer.Ordinal);

    private static void Counts(string key, ILookup<string, Attempt> triggers, ILookup<string, int> lines, Verdict verdict)
    {
        foreach (var sent in triggers)
        {
            var accepted = sent.Count(attempt => attempt.Outcome == Outcome.Ok);
            var unknown = sent.Count(attempt => attempt.Outcome == Outcome.Unknown);
            var there = lines[sent.Key].Count();
            if (there < accepted)
                verdict.Add(
                    FindingKind.Lost, $"Event {sent.Key} was accepted {accepted} times ({Names(sent)}) and is there {there} times.");
            if (there > accepted + unknown)
                verdict.Add(
                    accepted + unknown == 0 ? FindingKind.Phantom : FindingKind.Duplicate,
                    $"Event {sent.Key} is there {there} times, sent {accepted + unknown} times ({Names(sent)}).");
        }

        foreach (var line in lines.Where(line => !triggers.Contains(line.Key)))
            verdict.Add(FindingKind.Phantom, $"Nobody sent event {line.Key}, which is in an incident of key {key}.");
    }

    private static void Order(ILookup<string, Attempt> triggers, ILookup<string, int> lines, Verdict verdict)
    {
        var sent = triggers.Where(group => lines.Contains(group.Key)).Select(group => (
            group.Key, Invoked: group.Min(attempt => attempt.InvokedNs), Place: lines[group.Key].Min(),
            Accepted: group.Where(a => a.Outcome == Outcome.Ok).Select(a => a.EndedNs).DefaultIfEmpty(long.MaxValue).Min())).ToList();
        foreach (var first in sent)
            foreach (var later in sent)
                if (first.Accepted < later.Invoked && first.Place > later.Place)
                    verdict.Add(
                        FindingKind.Misorder,
                        $"Event {later.Key} ({Names(triggers[later.Key])}) stands before {first.Key} ({Names(triggers[first.Key])}), " +
                        "which was accepted before it was sent.");
    }

    /// <summary>
    /// No script triggers a key again once it is resolved: a second incident is the late effect of an unanswered request, or wrong.
    /// </summary>
    private static void OneIncident(HistoryIndex index, string key, Verdict verdict)
    {
        var more = index.IncidentsOf[key].Count() - 1;
        if (more < 1) return;
        var unanswered = index.AttemptsOf[key].Count(a => a is { Operation: Operation.Trigger, Outcome: Outcome.Unknown });
        if (more <= unanswered) verdict.Count("events.late_incidents", more);
        else verdict.Add(FindingKind.Duplicate, $"Key {key} has {more + 1} incidents with {unanswered} requests unanswered.");
    }

    private static void Ends(HistoryIndex index, string key, Verdict verdict)
    {
        Effect(Operation.Acknowledge, "acknowledge");
        Effect(Operation.Resolve, "resolve");

        void Effect(Operation operation, string type)
        {
            var attempts = index.AttemptsOf[key].Where(attempt => attempt.Operation == operation).ToList();
            var there = index.IncidentsOf[key].Sum(incident => incident.Entries.Count(entry => entry.Type == type));
            var snoozes = operation == Operation.Acknowledge ? SnoozesOf(index, key) : 0;
            if (attempts.Any(attempt => attempt.Outcome == Outcome.Ok) && there == 0)
                verdict.Add(FindingKind.Lost, $"Key {key} was to {type}, which was accepted ({Names(attempts)}), and has no such line.");
            if (there > attempts.Count(attempt => attempt.Outcome != Outcome.Fail) + snoozes)
                verdict.Add(
                    attempts.Count + snoozes == 0 ? FindingKind.Phantom : FindingKind.Duplicate,
                    $"Key {key} has {there} lines '{type}', asked for {attempts.Count + snoozes} times.");
        }
    }

    // A snooze acknowledges what is triggered.
    private static int SnoozesOf(HistoryIndex index, string key) =>
        index.AttemptsOf[key].Count(attempt => attempt is { Operation: Operation.Snooze, Outcome: not Outcome.Fail });

    private static string Names(IEnumerable<Attempt> attempts) =>
        string.Join(", ", attempts.Take(5).Select(attempt => $"{attempt.Number} to {attempt.Node} {attempt.Outcome}"));
}
