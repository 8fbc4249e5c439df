using Belfry.Log;

namespace Belfry.Cli.Watching;

/// <summary>
/// What is wrong by what was seen now and before. Awaits nothing and reads no clock; one snapshot after another. Reference: Kafka
/// section 5, "Watcher in another process" and "Producer leak".
/// </summary>
internal sealed class WatchCore(WatchLimits limits)
{
    private static readonly TimeSpan BaselineOf = TimeSpan.FromHours(1);

    /// <summary>Counts of an hour that are kept; with shorter intervals the baseline is that of less than an hour.</summary>
    private const int CountsMax = 4_096;

    private readonly Dictionary<(string Group, TopicPartition Source), (long Next, DateTimeOffset At)> _fixedSince = [];
    private readonly Dictionary<string, DateTimeOffset> _aloneSince = new(StringComparer.Ordinal);
    private readonly Queue<(DateTimeOffset At, long Producers)> _counts = new();
    private DateTimeOffset? _stormSince;
    private DateTimeOffset? _awaySince;

    /// <summary>All that is wrong now, in order of group and partition.</summary>
    public IReadOnlyList<WatchFinding> Look(WatchSnapshot now)
    {
        _awaySince = null;
        var findings = new List<WatchFinding>();
        foreach (var group in now.Groups)
        {
            var behind = group.Next.Where(next => now.Offsets.TryGetValue(next.Key, out var offsets) && offsets.End > next.Value)
                .OrderBy(next => next.Key).ToList();
            findings.AddRange(Alone(group, behind, now));
            if (group.Members > 0) findings.AddRange(Stuck(group, behind, now));
        }

        Forget(now);
        if (now.Producers is { } count) findings.AddRange(Storm(count.Producers, now.At));
        return findings;
    }

    /// <summary>What is wrong when nothing could be seen. What was wrong before may still be: nothing of it is forgotten.</summary>
    public WatchFinding LookInVain(DateTimeOffset at, string reason) =>
        new(FindingKind.Unreachable, "brokers", _awaySince ??= at, reason);

    private IEnumerable<WatchFinding> Alone(
        WatchedGroup group, List<KeyValuePair<TopicPartition, long>> behind, WatchSnapshot now)
    {
        if (group.Members > 0 || behind.Count == 0)
        {
            _aloneSince.Remove(group.Name);
            yield break;
        }

        if (!_aloneSince.TryGetValue(group.Name, out var since)) _aloneSince[group.Name] = since = now.At;
        if (now.At - since < limits.AloneAfter) yield break;
        var lag = behind.Sum(next => now.Offsets[next.Key].End - next.Value);
        yield return new WatchFinding(
            FindingKind.GroupWithoutMembers, group.Name, since,
            $"Group '{group.Name}' is {lag} records behind in {behind.Count} partitions and has no member: nothing runs it.");
    }

    /// <summary>Standing still counts from the moment that there was something to move for.</summary>
    private IEnumerable<WatchFinding> Stuck(
        WatchedGroup group, List<KeyValuePair<TopicPartition, long>> behind, WatchSnapshot now)
    {
        var still = behind.Select(next => next.Key).ToHashSet();
        foreach (var (source, _) in group.Next)
            if (!still.Contains(source)) _fixedSince.Remove((group.Name, source));
        foreach (var (source, next) in behind)
        {
            if (!_fixedSince.TryGetValue((group.Name, source), out var before) || before.Next != next)
                _fixedSince[(group.Name, source)] = before = (next, now.At);
            if (now.At - before.At < limits.StuckAfter) continue;
            yield return new WatchFinding(
                FindingKind.PartitionStuck, $"{group.Name} {source}", before.At,
                $"Group '{group.Name}' stands at {next} of {now.Offsets[source].End} in {source} for {now.At - before.At:hh\\:mm\\:ss}, " +
                $"with {group.Members} members.");
        }
    }

    /// <summary>A group without members, or one that is gone, has no partition that stands still.</summary>
    private void Forget(WatchSnapshot now)
    {
        var read = now.Groups.Where(group => group.Members > 0)
            .SelectMany(group => group.Next.Keys, (group, source) => (group.Name, source)).ToHashSet();
        foreach (var gone in _fixedSince.Keys.Where(key => !read.Contains(key)).ToList()) _fixedSince.Remove(gone);
        var names = now.Groups.Select(group => group.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in _aloneSince.Keys.Where(name => !names.Contains(name)).ToList()) _aloneSince.Remove(gone);
    }

    /// <summary>
    /// The usual number is the least but a tenth of those of the last hour: a middle one would rise with a storm that grows slowly, and the
    /// very least may have been counted while a partition had no leader. Before there is any, it is taken to be the least that could be a
    /// storm: then a single look, too, sees one.
    /// </summary>
    private IEnumerable<WatchFinding> Storm(long producers, DateTimeOffset at)
    {
        while (_counts.TryPeek(out var oldest) && (at - oldest.At > BaselineOf || _counts.Count >= CountsMax)) _counts.Dequeue();
        var sorted = _counts.Select(count => count.Producers).Order().ToList();
        var usual = sorted.Count == 0 ? limits.ProducersLeast : sorted[(sorted.Count - 1) / 10];
        _counts.Enqueue((at, producers));
        if (producers < limits.ProducersLeast || producers <= limits.ProducersFactor * Math.Max(1, usual))
        {
            _stormSince = null;
            yield break;
        }

        yield return new WatchFinding(
            FindingKind.ProducerStorm, "brokers", _stormSince ??= at,
            $"The brokers hold {producers} producers, usual are {usual}: a program makes a new one for each request, and the brokers' " +
            "memory will go. Find it by its client id in their logs, and stop it.");
    }
}
