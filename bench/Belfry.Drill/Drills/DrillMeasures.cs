using Belfry.Drill.Check;
using Belfry.Drill.Load;

namespace Belfry.Drill.Drills;

/// <summary>Figures of a history: of requests, and of pages after the events that caused them. Times in milliseconds.</summary>
internal sealed class DrillMeasures
{
    private const double NsPerMs = 1e6;

    // What is accepted shortly before a fault is paged in it; what is accepted shortly after it, by those who took over.
    private const long BeforeNs = 500_000_000, AfterNs = 6_000_000_000;
    private readonly DrillHistory _history;
    private readonly List<(long AcceptedNs, string UserId, double LateMs)> _pages = [];

    public DrillMeasures(DrillHistory history, Verdict verdict, IReadOnlyDictionary<string, double> own)
    {
        (_history, Verdict, Own) = (history, verdict, own);
        From = history.Faults.Select(fault => fault.FromNs).DefaultIfEmpty(0).Min();
        To = history.Faults.Select(fault => Math.Min(fault.ToNs, history.ReadAtNs)).DefaultIfEmpty(0).Max();
        var first = history.Receipts.GroupBy(receipt => (receipt.Title, receipt.IncidentId))
            .ToLookup(group => group.Key.Title, group => group.MinBy(receipt => receipt.BeginNs)!, StringComparer.Ordinal);
        foreach (var sent in Requests.Where(attempt => attempt is { Operation: Operation.Trigger, Value: 1, Outcome: Outcome.Ok }))
            foreach (var page in first[HistoryIndex.TextOf(sent.Key, sent.Value)])
                _pages.Add((sent.EndedNs, page.UserId, (page.BeginNs - sent.EndedNs) / NsPerMs));
    }

    public Verdict Verdict { get; }

    /// <summary>Measured by the nemesis.</summary>
    public IReadOnlyDictionary<string, double> Own { get; }

    /// <summary>When the first fault began, and the last one ended.</summary>
    public long From { get; }
    public long To { get; }

    /// <summary>
    /// Duration of requests that began in the faults or up to 2 s after them, answered or not, refused connections apart.
    /// </summary>
    public double AcceptP99Ms => Percentile(InFaults().Select(MsOf), 99);

    public double AcceptMaxMs => InFaults().Select(MsOf).DefaultIfEmpty(double.NaN).Max();

    /// <summary>Share of requests in the faults that were answered with an error, in percent.</summary>
    public double ErrorPercent => Percent(InFaults(), attempt => attempt.Outcome != Outcome.Ok && attempt.Answer != EventClient.NoAnswer);

    /// <summary>Share of requests in the faults that the client gave up, in percent.</summary>
    public double NotAnsweredPercent => Percent(InFaults(), attempt => attempt.Answer == EventClient.NoAnswer);

    /// <summary>Requests in the faults that were answered with an error.</summary>
    public double Errors => InFaults().Count(attempt => attempt.Outcome != Outcome.Ok) - NotAnswered;

    /// <summary>Requests in the faults that the client gave up.</summary>
    public double NotAnswered => InFaults().Count(attempt => attempt.Answer == EventClient.NoAnswer);

    /// <summary>Answers that were neither 202 nor 503, in the faults.</summary>
    public double OddAnswers =>
        InFaults().Count(attempt => attempt.Answer is not ("202" or "503" or "201" or "200" or EventClient.NoAnswer));

    /// <summary>Share of events in the faults that were accepted within 4 s, by whichever request, in percent.</summary>
    public double AcceptedIn4sPercent => Percent(
        InFaults().GroupBy(attempt => (attempt.Key, attempt.Value)),
        sent => sent.Any(a => a.Outcome == Outcome.Ok && a.EndedNs - sent.Min(b => b.InvokedNs) <= 4_000_000_000));

    /// <summary>The longest time in the faults in which no event was accepted.</summary>
    public double AcceptGapMs
    {
        get
        {
            var ends = Requests.Where(attempt => attempt.Outcome == Outcome.Ok).Select(attempt => attempt.EndedNs)
                .Where(end => end >= From && end <= To + 2_000_000_000).Order().ToList();
            return ends.Count < 2 ? double.NaN : ends.Zip(ends.Skip(1), (former, later) => (later - former) / NsPerMs).Max();
        }
    }

    /// <summary>From the answer to an event to the call that pages of it: p99 and most, of those accepted around the faults.</summary>
    public double PageP99Ms => Percentile(PagesAround(From, To), 99);

    public double PageMaxMs => PagesAround(From, To).DefaultIfEmpty(double.NaN).Max();

    /// <summary>The same before the faults.</summary>
    public double CalmPageP99Ms => Percentile(_pages.Where(page => page.AcceptedNs < From - BeforeNs).Select(page => page.LateMs), 99);

    /// <summary>
    /// The longest that anybody's pages stood still after a crash or freeze: from it, or from the event when that came later, to the page.
    /// </summary>
    public double TakeoverMs => _history.Faults.Where(fault => fault.Kind is FaultKind.Crash or FaultKind.Freeze)
        .SelectMany(fault => PagesAround(fault.FromNs, fault.FromNs)).DefaultIfEmpty(double.NaN).Max();

    /// <summary>Of the events accepted in the faults those that were paged in them too, in percent: how many come varies.</summary>
    public double ThroughputPercent => Percent(
        _pages.Where(page => IsInFaults(page.AcceptedNs)), page => IsInFaults(page.AcceptedNs + (long)(page.LateMs * NsPerMs)));

    /// <summary>The fewest pages in any 10 s between the first fault and the last.</summary>
    public double FewestPagesIn10s
    {
        get
        {
            const long Window = 10_000_000_000;
            var (fewest, any) = (double.NaN, _history.Receipts.Select(receipt => receipt.BeginNs).Order().ToList());
            for (var at = From; at + Window <= To; at += 1_000_000_000)
            {
                var count = any.Count(begin => begin >= at && begin < at + Window);
                fewest = double.IsNaN(fewest) ? count : Math.Min(fewest, count);
            }

            return fewest;
        }
    }

    /// <summary>After the last fault was healed, until the last page of an event that was accepted before.</summary>
    public double BacklogGoneMs => _pages.Where(page => page.AcceptedNs <= To)
        .Select(page => (page.AcceptedNs - To) / NsPerMs + page.LateMs).Append(0).Max();

    /// <summary>Most incidents that one dedup key has.</summary>
    public double IncidentsOfOneKeyMax => _history.Incidents.GroupBy(incident => incident.Key).Select(group => group.Count()).Max();

    private IEnumerable<Attempt> Requests => _history.Attempts.Where(attempt => attempt.Operation != Operation.Snooze);

    private List<Attempt> InFaults() => Requests.Where(attempt =>
        attempt.InvokedNs >= From && attempt.InvokedNs <= To + 2_000_000_000 && attempt.Outcome != Outcome.Fail).ToList();

    private IEnumerable<double> PagesAround(long from, long to) => _pages
        .Where(page => page.AcceptedNs >= from - BeforeNs && page.AcceptedNs <= to + AfterNs)
        .Select(page => page.AcceptedNs < from ? page.LateMs - (from - page.AcceptedNs) / NsPerMs : page.LateMs);

    private bool IsInFaults(long atNs) => atNs >= From && atNs < To;

    private double MsOf(Attempt attempt) => (Math.Min(attempt.EndedNs, _history.ReadAtNs) - attempt.InvokedNs) / NsPerMs;

    private static double Percent<T>(IEnumerable<T> all, Func<T, bool> which)
    {
        var list = all.ToList();
        return list.Count == 0 ? double.NaN : 100.0 * list.Count(which) / list.Count;
    }

    private static double Percentile(IEnumerable<double> values, double percent)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(sorted.Count * percent / 100) - 1)];
    }
}
