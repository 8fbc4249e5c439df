namespace Belfry.Drill.Check;

/// <summary>
/// Each notification ends at the provider, as a dead letter or skipped with a reason (C1); none is invented (A3); twice only where a fault
/// cut through its sending (C2); none after its incident was taken or over (C5).
/// </summary>
internal static class PageChecks
{
    /// <summary>A send counts as in flight from its request until this long after its answer, when its end must be in the store.</summary>
    private const long CompletionNs = 1_000_000_000;

    /// <summary>
    /// A claim allows a send for 5 s (<c>DeliveryOptions.ClaimFreshFor</c>), and what is decided at a time may take 2 s to be in the
    /// store: a send that begins later was not claimed before the end.
    /// </summary>
    private const long ClaimMs = 7_000;

    public static void Check(DrillHistory history, HistoryIndex index, Verdict verdict)
    {
        var known = history.Notifications.Select(notice => notice.NotificationId).ToHashSet(StringComparer.Ordinal);
        foreach (var incident in history.Incidents) Ended(index, incident, verdict);
        foreach (var receipt in history.Receipts) Meant(index, receipt, known, verdict);
        Repeats(history, index, verdict);
        foreach (var incident in history.Incidents) AfterEnd(history, index, incident, verdict);
        verdict.Figure("pages.accepted", history.Receipts.Count(receipt => receipt.Accepted));
    }

    private static void Ended(HistoryIndex index, ReadIncident incident, Verdict verdict)
    {
        var told = false;
        foreach (var line in incident.Entries.Where(entry => entry.Type is "notify" or "skipped")
            .GroupBy(entry => entry.NotificationId ?? "", StringComparer.Ordinal))
        {
            told = true;
            if (line.Key.Length == 0) continue;
            var states = line.Select(entry => entry.State).ToHashSet();
            var accepted = index.ReceiptsOf[line.Key].Any(receipt => receipt.Accepted);
            if (states.Contains("sent") && !accepted)
                verdict.Add(FindingKind.Lost, $"Page {line.Key} of {incident.Key} counts as sent and never came.");
            if (!states.Contains("sent") && !states.Contains("dead") && !states.Contains("skipped"))
                verdict.Add(FindingKind.Stuck, $"Page {line.Key} of {incident.Key} has no end: {string.Join(", ", states)}.");
        }

        if (!told) verdict.Add(FindingKind.Lost, $"Nobody was told of incident {incident.Id} of {incident.Key}, nor why not.");
    }

    private static void Meant(HistoryIndex index, Receipt receipt, HashSet<string> known, Verdict verdict)
    {
        if (!known.Contains(receipt.NotificationId))
            verdict.Add(FindingKind.Phantom, $"Page {receipt.NotificationId} ({receipt.Title}) is of no notification.");
        else if (!index.IncidentById.TryGetValue(receipt.IncidentId, out var incident))
            verdict.Add(FindingKind.Phantom, $"Page {receipt.NotificationId} ({receipt.Title}) is of no incident.");
        else if (incident.Title != receipt.Title)
            verdict.Add(FindingKind.Phantom, $"Page {receipt.NotificationId} says {receipt.Title}, its incident {incident.Title}.");
    }

    private static void Repeats(DrillHistory history, HistoryIndex index, Verdict verdict)
    {
        var inFlight = 0;
        foreach (var calls in index.ReceiptsOf)
        {
            var accepted = calls.Where(receipt => receipt.Accepted).ToList();
            if (accepted.Count == 0) continue;
            var cut = history.Faults.Any(fault => CutsThrough(fault, accepted[0]));
            if (cut) inFlight++;
            if (accepted.Count == 1) continue;
            verdict.Count("pages.repeated", accepted.Count - 1);
            if (accepted.Count > 2 || !cut)
                verdict.Add(
                    FindingKind.Duplicate,
                    $"Page {calls.Key} ({accepted[0].Title}) came {accepted.Count} times, " +
                    $"{(accepted[1].BeginNs - accepted[0].EndNs) / 1_000_000} ms apart, " +
                    $"{(cut ? "in a fault" : "with no fault at its sending")}.");
        }

        verdict.Figure("pages.in_flight_at_faults", inFlight);
    }

    private static bool CutsThrough(Fault fault, Receipt sent)
    {
        var end = sent.EndNs + CompletionNs;
        bool In(long at) => sent.BeginNs <= at && at <= end;
        return fault.Kind switch
        {
            FaultKind.Crash => In(fault.FromNs),
            // Both ends: what stood still may have gone out meanwhile by another, and by itself later.
            FaultKind.Freeze => In(fault.FromNs) || In(fault.ToNs) || (sent.BeginNs >= fault.FromNs && sent.BeginNs <= fault.ToNs),
            _ => end >= fault.FromNs && sent.BeginNs <= fault.ToNs,
        };
    }

    private static void AfterEnd(DrillHistory history, HistoryIndex index, ReadIncident incident, Verdict verdict)
    {
        for (var at = 0; at < incident.Entries.Count; at++)
        {
            if (incident.Entries[at].Type is not ("acknowledge" or "resolve")) continue;
            var ended = incident.Entries[at];
            var planned = incident.Entries.Take(at).Where(entry => entry is { Type: "notify", State: "planned" })
                .Select(entry => entry.NotificationId ?? "").Distinct();
            foreach (var first in planned.SelectMany(id => index.ReceiptsOf[id].Take(1)))
                if (history.WallMs(first.BeginNs) > ended.AtMs + ClaimMs && !FaultBetween(history, ended.AtMs, first.BeginNs))
                    verdict.Add(
                        FindingKind.PageAfterEnd,
                        $"Page {first.NotificationId} ({first.Title}) came {history.WallMs(first.BeginNs) - ended.AtMs} ms " +
                        $"after '{ended.Type}'.");
        }
    }

    // Until a fault is over, what was decided may not be in the store yet.
    private static bool FaultBetween(DrillHistory history, long fromMs, long toNs) =>
        history.Faults.Any(fault => fault.FromNs <= toNs && history.WallMs(fault.ToNs) + ClaimMs >= fromMs);
}
