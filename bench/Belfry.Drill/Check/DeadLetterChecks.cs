namespace Belfry.Drill.Check;

/// <summary>
/// What was taken in is done, dead or skipped, and only one of them; a dead letter holds the bytes that were taken in, and a reason (C4).
/// </summary>
internal static class DeadLetterChecks
{
    public static void Check(DrillHistory history, Verdict verdict)
    {
        var taken = new Dictionary<string, Notice>(StringComparer.Ordinal);
        foreach (var notice in history.Notifications) taken.TryAdd(notice.NotificationId, notice);
        var dead = history.DeadLetters.ToLookup(letter => letter.NotificationId, StringComparer.Ordinal);
        foreach (var letter in dead) Kept(taken, letter, verdict);
        foreach (var line in history.Incidents.SelectMany(incident => incident.Entries).Where(entry => entry.State == "dead"))
            if (!dead.Contains(line.NotificationId ?? ""))
                verdict.Add(FindingKind.DeadLetterImbalance, $"Page {line.NotificationId} was given up and is no dead letter.");
        var (accepted, skipped, given) = (Accepted(history), InState(history, "skipped"), InState(history, "dead"));
        foreach (var id in dead.Select(letter => letter.Key).Where(id => !given.Contains(id)))
            verdict.Add(FindingKind.DeadLetterImbalance, $"Page {id} is a dead letter, and its incident's timeline does not say so.");
        foreach (var id in taken.Keys)
        {
            var ends = (accepted.Contains(id) ? 1 : 0) + (skipped.Contains(id) ? 1 : 0) + (dead.Contains(id) ? 1 : 0);
            if (ends == 0) verdict.Add(FindingKind.DeadLetterImbalance, $"Page {id} was taken in and is neither done, dead nor skipped.");
            if (ends > 1 && dead.Contains(id))
                verdict.Add(FindingKind.DeadLetterImbalance, $"Page {id} is a dead letter and yet ended otherwise.");
        }

        verdict.Figure("dead_letters", dead.Count);
        verdict.Figure("notifications", taken.Count);
    }

    private static void Kept(Dictionary<string, Notice> taken, IGrouping<string, Notice> letters, Verdict verdict)
    {
        if (letters.Count() > 1) verdict.Count("dead_letters.repeated", letters.Count() - 1);
        foreach (var letter in letters)
        {
            if (!taken.TryGetValue(letter.NotificationId, out var notice))
                verdict.Add(FindingKind.DeadLetterImbalance, $"Dead letter {letter.NotificationId} was never taken in.");
            else if (notice.BytesHash != letter.BytesHash)
                verdict.Add(FindingKind.DeadLetterImbalance, $"Dead letter {letter.NotificationId} holds other bytes than were taken in.");
            if (string.IsNullOrEmpty(letter.Reason))
                verdict.Add(FindingKind.DeadLetterImbalance, $"Dead letter {letter.NotificationId} has no reason.");
        }
    }

    private static HashSet<string> Accepted(DrillHistory history) =>
        history.Receipts.Where(receipt => receipt.Accepted).Select(receipt => receipt.NotificationId).ToHashSet(StringComparer.Ordinal);

    private static HashSet<string> InState(DrillHistory history, string state) => history.Incidents
        .SelectMany(incident => incident.Entries).Where(entry => entry.State == state && entry.NotificationId is not null)
        .Select(entry => entry.NotificationId!).ToHashSet(StringComparer.Ordinal);
}
