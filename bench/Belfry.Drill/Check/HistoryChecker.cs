using System.Globalization;

namespace Belfry.Drill.Check;

/// <summary>
/// Judges a history by what was promised (reliability reference, section 3). Pure: the same history gives the same verdict; it looks at
/// effects, never at how they came about.
/// </summary>
internal static class HistoryChecker
{
    public static Verdict Check(DrillHistory history)
    {
        var verdict = new Verdict();
        var index = new HistoryIndex(history);
        EventChecks.Check(history, index, verdict);
        TimerChecks.Check(history, index, verdict);
        PageChecks.Check(history, index, verdict);
        PageOrderChecks.Check(history, index, verdict);
        FoldChecks.Check(history, verdict);
        DeadLetterChecks.Check(history, verdict);
        FenceChecks.Check(history, verdict);
        return verdict;
    }
}

/// <summary>The history by key, incident and notification.</summary>
internal sealed class HistoryIndex
{
    public HistoryIndex(DrillHistory history)
    {
        AttemptsOf = history.Attempts.ToLookup(attempt => attempt.Key, StringComparer.Ordinal);
        IncidentsOf = history.Incidents.OrderBy(incident => incident.Number).ToLookup(incident => incident.Key, StringComparer.Ordinal);
        foreach (var incident in history.Incidents) IncidentById[incident.Id] = incident;
        ReceiptsOf = history.Receipts.OrderBy(receipt => receipt.BeginNs)
            .ToLookup(receipt => receipt.NotificationId, StringComparer.Ordinal);
        Keys = [.. AttemptsOf.Select(group => group.Key).Union(IncidentsOf.Select(group => group.Key)).Order(StringComparer.Ordinal)];
    }

    public IReadOnlyList<string> Keys { get; }
    public ILookup<string, Attempt> AttemptsOf { get; }

    /// <summary>In the order they were opened.</summary>
    public ILookup<string, ReadIncident> IncidentsOf { get; }
    public Dictionary<string, ReadIncident> IncidentById { get; } = new(StringComparer.Ordinal);

    /// <summary>By notification, in the order they came.</summary>
    public ILookup<string, Receipt> ReceiptsOf { get; }

    public static string TextOf(string key, long value) => string.Create(CultureInfo.InvariantCulture, $"{key}#{value}");

    /// <summary>The <c>key#value</c> of a trigger's line, which ends with it.</summary>
    public static string TextOf(ReadEntry trigger) =>
        trigger.Summary.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var at ? trigger.Summary[(at + 2)..] : trigger.Summary;
}
