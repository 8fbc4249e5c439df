namespace Belfry.Drill.Check;

/// <summary>The timeline is the fold of <c>incident-log</c>, and the incident that of its timeline (D1).</summary>
internal static class FoldChecks
{
    public static void Check(DrillHistory history, Verdict verdict)
    {
        var logged = Fold(history.Log);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var incident in history.Incidents)
        {
            foreach (var entry in incident.Entries)
                if (!seen.Add(entry.Id))
                    verdict.Add(FindingKind.FoldMismatch, $"Line {entry.Id} of incident {incident.Id} is there twice.");
            if (!incident.Entries.Select(entry => entry.Id).SequenceEqual(logged.GetValueOrDefault(incident.Id) ?? []))
                verdict.Add(
                    FindingKind.FoldMismatch,
                    $"The timeline of incident {incident.Id} of {incident.Key} has {incident.Entries.Count} lines, the log " +
                    $"{logged.GetValueOrDefault(incident.Id)?.Count ?? 0}, or they are in another order.");
            Refold(incident, verdict);
        }

        foreach (var id in logged.Keys.Except(history.Incidents.Select(incident => incident.Id)))
            verdict.Add(FindingKind.FoldMismatch, $"The log tells of incident {id}, which is not there.");
        verdict.Figure("timeline.lines", seen.Count);
    }

    /// <summary>Each entry once, in the order of its partition.</summary>
    private static Dictionary<string, List<string>> Fold(IReadOnlyList<LoggedEntry> log)
    {
        var (incidents, seen) = (new Dictionary<string, List<string>>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var entry in log.OrderBy(entry => entry.Partition).ThenBy(entry => entry.Offset))
        {
            if (!seen.Add(entry.EntryId)) continue;
            if (!incidents.TryGetValue(entry.IncidentId, out var lines)) incidents[entry.IncidentId] = lines = [];
            lines.Add(entry.EntryId);
        }

        return incidents;
    }

    private static void Refold(ReadIncident incident, Verdict verdict)
    {
        var (status, level) = ("", 0);
        foreach (var entry in incident.Entries)
        {
            status = entry.Type switch
            {
                "trigger" when status.Length == 0 => "triggered",
                "acknowledge" => "acknowledged",
                "unacknowledge" or "escalate" or "reopen" => "triggered",
                "resolve" => "resolved",
                _ => status,
            };
            level = entry.Type is "assign" or "escalate" ? entry.Level ?? 0 : entry.Type == "exhaust_escalation_path" ? 0 : level;
        }

        if (status != incident.Status)
            verdict.Add(
                FindingKind.FoldMismatch, $"Incident {incident.Id} of {incident.Key} is {incident.Status}, by its timeline {status}.");
        if (level != incident.Level)
            verdict.Add(
                FindingKind.FoldMismatch,
                $"Incident {incident.Id} of {incident.Key} is at level {incident.Level}, by its timeline {level}.");
        if (incident.Entries.FirstOrDefault(entry => entry.Type == "trigger") is { } first && HistoryIndex.TextOf(first) != incident.Title)
            verdict.Add(
                FindingKind.FoldMismatch,
                $"Incident {incident.Id} is called {incident.Title}, its first event {HistoryIndex.TextOf(first)}.");
    }
}
