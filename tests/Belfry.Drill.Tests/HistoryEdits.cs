using Belfry.Drill.Check;

namespace Belfry.Drill.Tests;

/// <summary>Small changes of a history, to break it by.</summary>
internal static class HistoryEdits
{
    public static DrillHistory WithIncident(this DrillHistory history, string key, Func<ReadIncident, ReadIncident> change) =>
        history with { Incidents = [.. history.Incidents.Select(incident => incident.Key == key ? change(incident) : incident)] };

    /// <summary>Changes a timeline, and the log with it, so that only what the lines say is wrong.</summary>
    public static DrillHistory WithLines(
        this DrillHistory history, string key, Func<IReadOnlyList<ReadEntry>, IEnumerable<ReadEntry>> change)
    {
        var changed = history.WithIncident(key, incident => incident with { Entries = [.. change(incident.Entries)] });
        return changed with
        {
            Log =
            [
                .. changed.Incidents.SelectMany(incident => incident.Entries.Select(entry => (incident.Id, entry)))
                    .Select((line, place) => new LoggedEntry(0, place, line.entry.Id, line.Id)),
            ],
        };
    }

    public static DrillHistory WithLine(
        this DrillHistory history, string key, Func<ReadEntry, bool> which, Func<ReadEntry, ReadEntry> change) =>
        history.WithLines(key, lines => lines.Select(line => which(line) ? change(line) : line));

    public static DrillHistory Without(this DrillHistory history, string key, Func<ReadEntry, bool> which) =>
        history.WithLines(key, lines => lines.Where(line => !which(line)));

    public static DrillHistory WithAttempts(this DrillHistory history, Func<Attempt, bool> which, Func<Attempt, Attempt> change) =>
        history with { Attempts = [.. history.Attempts.Select(attempt => which(attempt) ? change(attempt) : attempt)] };

    public static DrillHistory WithReceipts(this DrillHistory history, Func<Receipt, bool> which, Func<Receipt, Receipt> change) =>
        history with { Receipts = [.. history.Receipts.Select(receipt => which(receipt) ? change(receipt) : receipt)] };

    public static DrillHistory WithReceipt(this DrillHistory history, string key, Func<Receipt, Receipt> change, int which = 0) =>
        history with { Receipts = [.. history.Receipts, change(history.ReceiptOf(key, which))] };

    public static Receipt ReceiptOf(this DrillHistory history, string key, int which = 0) =>
        history.Receipts.Where(receipt => receipt.IncidentId == "i-" + key).ElementAt(which);

    public static DrillHistory WithoutReceipts(this DrillHistory history, string key) =>
        history with { Receipts = [.. history.Receipts.Where(receipt => receipt.IncidentId != "i-" + key)] };

    public static Receipt Later(this Receipt receipt, long ms) =>
        receipt with { BeginNs = receipt.BeginNs + ms * 1_000_000, EndNs = receipt.EndNs + ms * 1_000_000 };
}
