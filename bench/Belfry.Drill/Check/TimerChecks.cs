namespace Belfry.Drill.Check;

/// <summary>Snoozes and escalations: never early (A4), once each (B5), no level left out or twice (C5), none forgotten.</summary>
internal static class TimerChecks
{
    /// <summary>What was due this long before the final read must have happened.</summary>
    private const long SettledMs = 5_000;

    /// <summary>What waited in a blackout is worked off this long after it at most, and what comes meanwhile waits behind it.</summary>
    private const long BacklogMs = 20_000;

    /// <summary>What was due so short a time before one may be in it still, without being late.</summary>
    private const long JustBeforeMs = 5_000;

    public static void Check(DrillHistory history, HistoryIndex index, Verdict verdict)
    {
        var late = new Lateness(history);
        foreach (var key in index.Keys) Snoozes(history, index, key, late, verdict);
        foreach (var incident in history.Incidents) Levels(history, incident, late, verdict);
        late.Tell(verdict);
    }

    private static void Snoozes(DrillHistory history, HistoryIndex index, string key, Lateness late, Verdict verdict)
    {
        var attempts = index.AttemptsOf[key].Where(attempt => attempt.Operation == Operation.Snooze).ToList();
        var asked = attempts.Count(attempt => attempt.Outcome != Outcome.Fail);
        var there = 0;
        foreach (var incident in index.IncidentsOf[key])
        {
            ReadEntry? snooze = null;
            foreach (var entry in incident.Entries)
            {
                if (entry.Type == "snooze") (snooze, there) = (entry, there + 1);
                if (entry.Type is "resolve") snooze = null;
                if (entry.Type != "unacknowledge") continue;
                if (snooze?.UntilMs is not { } until)
                {
                    verdict.Add(FindingKind.Duplicate, $"Incident {incident.Id} of {key} woke (line {entry.Id}) with no snooze to end.");
                    continue;
                }

                if (entry.AtMs < until)
                    verdict.Add(
                        FindingKind.Early, $"Incident {incident.Id} of {key} woke {until - entry.AtMs} ms before its snooze's end.");
                late.Add(until, entry.AtMs);
                snooze = null;
            }

            if (snooze?.UntilMs is { } due && history.WallMs(history.ReadAtNs) > due + SettledMs)
                verdict.Add(
                    FindingKind.Stuck,
                    $"Incident {incident.Id} of {key} still sleeps {history.WallMs(history.ReadAtNs) - due} ms after its snooze's end.");
        }

        if (there == 0 && attempts.Any(attempt => attempt.Outcome == Outcome.Ok))
            verdict.Add(FindingKind.Lost, $"Key {key} was snoozed, which was accepted, and no snooze is there.");
        if (there > asked)
            verdict.Add(
                asked == 0 ? FindingKind.Phantom : FindingKind.Duplicate, $"Key {key} was snoozed {there} times, asked for {asked} times.");
        if (attempts.Count > 0) PagedNotBefore(index, key, attempts, verdict);
    }

    /// <summary>By the client's own clock: the second page comes a whole snooze after it was asked for, or later.</summary>
    private static void PagedNotBefore(HistoryIndex index, string key, List<Attempt> attempts, Verdict verdict)
    {
        var earliest = attempts.Min(attempt => attempt.InvokedNs + attempt.DelayMs * 1_000_000);
        foreach (var incident in index.IncidentsOf[key])
        {
            var woke = Place(incident, "unacknowledge");
            if (woke < 0) continue;
            foreach (var planned in incident.Entries.Skip(woke).Where(entry => entry is { Type: "notify", State: "planned" }))
                foreach (var receipt in index.ReceiptsOf[planned.NotificationId ?? ""].Take(1))
                    if (receipt.BeginNs < earliest)
                        verdict.Add(
                            FindingKind.Early,
                            $"Page {receipt.NotificationId} of {key} came {(earliest - receipt.BeginNs) / 1_000_000} ms before its time.");
        }
    }

    private static void Levels(DrillHistory history, ReadIncident incident, Lateness late, Verdict verdict)
    {
        var (level, enteredMs) = (0, 0L);
        foreach (var entry in incident.Entries)
        {
            if (entry.Type is "resolve" or "acknowledge") (level, enteredMs) = (0, 0);
            if (entry is { Type: "assign", Level: { } begun }) (level, enteredMs) = (begun, entry.AtMs);
            if (entry is not { Type: "escalate", Level: { } next }) continue;
            if (next != level + 1)
                verdict.Add(FindingKind.LevelSkipped, $"Incident {incident.Id} of {incident.Key} went from level {level} to {next}.");
            else if (entry.AtMs < enteredMs + Delay(incident, level))
                verdict.Add(
                    FindingKind.Early,
                    $"Incident {incident.Id} of {incident.Key} went to level {next} after {entry.AtMs - enteredMs} ms.");
            else late.Add(enteredMs + Delay(incident, level), entry.AtMs);
            (level, enteredMs) = (next, entry.AtMs);
        }

        var waitedMs = history.WallMs(history.ReadAtNs) - enteredMs;
        if (level > 0 && level < incident.LevelDelaysMs.Count && waitedMs > Delay(incident, level) + SettledMs)
            verdict.Add(FindingKind.Stuck, $"Incident {incident.Id} of {incident.Key} is at level {level} for {waitedMs} ms.");
    }

    private static long Delay(ReadIncident incident, int level) =>
        level >= 1 && level <= incident.LevelDelaysMs.Count ? incident.LevelDelaysMs[level - 1] : 0;

    /// <summary>How late timers fired; those that were due in a blackout or soon after it by themselves, from its end on.</summary>
    private sealed class Lateness(DrillHistory history)
    {
        private readonly List<(long FromMs, long ToMs)> _blackouts = [.. history.Faults.Where(fault => fault.Kind == FaultKind.Blackout)
            .Select(fault => (history.WallMs(fault.FromNs), history.WallMs(Math.Min(fault.ToNs, history.ReadAtNs))))];

        private readonly List<double> _late = [];
        private readonly List<double> _afterBlackouts = [];

        public void Add(long dueMs, long atMs)
        {
            foreach (var (from, to) in _blackouts)
            {
                if (atMs < from || dueMs < from - JustBeforeMs || dueMs > to + BacklogMs) continue;
                _afterBlackouts.Add(Math.Max(0, atMs - Math.Max(dueMs, to)));
                return;
            }

            _late.Add(atMs - dueMs);
        }

        public void Tell(Verdict verdict)
        {
            verdict.Figure("timers.fired", _late.Count + _afterBlackouts.Count);
            if (_afterBlackouts.Count > 0) verdict.Figure("timers.after_blackout_max_ms", _afterBlackouts.Max());
            if (_late.Count == 0) return;
            _late.Sort();
            verdict.Figure("timers.late_p99_ms", _late[(int)Math.Ceiling(_late.Count * 0.99) - 1]);
            verdict.Figure("timers.late_max_ms", _late[^1]);
        }
    }

    private static int Place(ReadIncident incident, string type)
    {
        for (var place = 0; place < incident.Entries.Count; place++)
            if (incident.Entries[place].Type == type) return place;
        return -1;
    }
}
