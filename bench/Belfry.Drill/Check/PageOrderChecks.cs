namespace Belfry.Drill.Check;

/// <summary>
/// A person's pages go out one at a time (B1), in the order in which their events were accepted (B2), none of a former epoch (B3).
/// </summary>
internal static class PageOrderChecks
{
    // A frozen owner may end the calls that it had begun; they show up once it goes on.
    private const long ThawNs = 5_000_000_000;

    public static void Check(DrillHistory history, HistoryIndex index, Verdict verdict)
    {
        foreach (var person in history.Receipts.GroupBy(receipt => receipt.UserId, StringComparer.Ordinal))
            Overlaps(history, [.. person.OrderBy(receipt => receipt.BeginNs)], verdict);
        Epochs(history, verdict);
        foreach (var person in history.Incidents.GroupBy(incident => incident.UserId, StringComparer.Ordinal))
            Order(index, person, verdict);
    }

    private static void Overlaps(DrillHistory history, List<Receipt> calls, Verdict verdict)
    {
        for (var at = 1; at < calls.Count; at++)
        {
            var (former, later) = (calls[at - 1], calls[at]);
            if (later.BeginNs >= former.EndNs) continue;
            var frozen = history.Faults.Any(fault =>
                fault.Kind == FaultKind.Freeze && later.BeginNs >= fault.FromNs && later.BeginNs <= fault.ToNs + ThawNs);
            if (frozen) verdict.Count("pages.frozen_overlaps");
            else
                verdict.Add(
                    FindingKind.Overlap,
                    $"Page {later.NotificationId} ({later.Title}) began {(former.EndNs - later.BeginNs) / 1_000} us before " +
                    $"{former.NotificationId} ({former.Title}) of the same person had ended.");
        }
    }

    private static void Epochs(DrillHistory history, Verdict verdict)
    {
        foreach (var story in history.Receipts.GroupBy(receipt => (receipt.IncidentId, receipt.UserId)))
        {
            Receipt? newest = null;
            foreach (var first in story.GroupBy(receipt => receipt.NotificationId).Select(group => group.MinBy(r => r.BeginNs)!)
                .OrderBy(receipt => receipt.BeginNs))
            {
                if (newest is not null && first.Epoch < newest.Epoch)
                    verdict.Add(
                        FindingKind.StaleWrite,
                        $"Page {first.NotificationId} ({first.Title}) is of epoch {first.Epoch} and came after one of {newest.Epoch}.");
                else newest = first;
            }
        }
    }

    private static void Order(HistoryIndex index, IEnumerable<ReadIncident> person, Verdict verdict)
    {
        var opened = new List<(string Key, long Invoked, long Accepted, long Paged)>();
        foreach (var incident in person)
        {
            var opening = index.AttemptsOf[incident.Key].Where(attempt =>
                attempt.Operation == Operation.Trigger && HistoryIndex.TextOf(attempt.Key, attempt.Value) == incident.Title).ToList();
            var first = incident.Entries.FirstOrDefault(entry => entry is { Type: "notify", State: "planned" })?.NotificationId;
            // Of a request without an answer nobody knows which incident it opened, or when.
            if (opening.Count == 0 || opening.Any(attempt => attempt.Outcome == Outcome.Unknown) || first is null
                || index.ReceiptsOf[first].FirstOrDefault() is not { } page) continue;
            opened.Add((
                incident.Key, opening.Min(attempt => attempt.InvokedNs),
                opening.Where(a => a.Outcome == Outcome.Ok).Select(a => a.EndedNs).DefaultIfEmpty(long.MaxValue).Min(), page.BeginNs));
        }

        foreach (var first in opened)
            foreach (var later in opened)
                if (first.Accepted < later.Invoked && first.Paged > later.Paged)
                    verdict.Add(
                        FindingKind.Misorder,
                        $"The page of {later.Key} came {(first.Paged - later.Paged) / 1_000_000} ms before that of {first.Key}, " +
                        "accepted earlier.");
    }
}
