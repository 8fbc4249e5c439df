namespace Belfry.Log;

/// <summary>
/// Tells from snapshots of one consumer what makes no progress, and why. Pure: time is passed in. What counts is the time for which the
/// log is known to hold something to do and nothing moved; a look that could not ask the log adds nothing. The memory of a partition ends
/// with its ownership. Source: design section 5; PagerDuty, "Writing Intelligent Health Checks for Kafka Services".
/// </summary>
public sealed class StallDetector(string group, ConsumerOptions options, TimeSpan interval)
{
    private readonly SortedDictionary<TopicPartition, PartitionWatch> _watched = [];
    private readonly SortedDictionary<TopicPartition, FetchTrouble> _troubles = [];
    private readonly SortedDictionary<TopicPartition, (long Committed, TimeSpan For)> _unowned = [];
    private TimeSpan? _lookedAt;
    private int _rebuilds;
    private StallClass _class;
    private DateTimeOffset? _since;

    /// <summary>One look; call it about once an interval, with snapshots in the order of their times.</summary>
    public StallReport Look(ConsumerSnapshot now)
    {
        // As for polls (PollWatch): of a time in which nobody looked, as when the process was frozen, no more counts than looks are apart.
        var passed = _lookedAt is { } last ? TimeSpan.FromTicks(Math.Clamp((now.At - last).Ticks, 0, (interval * 2).Ticks)) : TimeSpan.Zero;
        _lookedAt = now.At;
        Release(now.Status, passed);
        List<PartitionHealth> partitions = [];
        List<TopicPartition> resumes = [];
        string? rebuildFor = null;
        var fetchesNothing = false;
        foreach (var status in now.Status.Partitions)
        {
            LogOffsets? offsets = now.Owned.TryGetValue(status.Source, out var told) ? told : null;
            var isNew = !_watched.TryGetValue(status.Source, out var watch);
            if (isNew) _watched.Add(status.Source, watch = new PartitionWatch());
            watch!.Look(status, offsets, isNew ? TimeSpan.Zero : passed);
            var (found, reason) = Classify(watch, status, offsets);
            if (_troubles.TryGetValue(status.Source, out var trouble) && (watch.Next > trouble.Next || offsets?.End <= trouble.Next))
                _troubles.Remove(status.Source);
            if (found == StallClass.Fetch && Remedy(watch, status.Source, resumes, passed) is { } wanted) rebuildFor ??= wanted;
            if (_troubles.TryGetValue(status.Source, out trouble) && trouble.CameTwice)
            {
                fetchesNothing = true;
                (found, reason) = (StallClass.Fetch, reason ?? "a consumer built anew for it fetched nothing either");
            }

            watch.Tell(found, now.Now);
            partitions.Add(Describe(watch, status, offsets, reason, now.Now));
        }

        var health = Judge(now, partitions, passed) with { Partitions = partitions, Rebuilds = now.Status.Rebuilds };
        health = health with { FailsLiveness = fetchesNothing || health.Class == StallClass.Poll };
        return new StallReport(health, resumes, rebuildFor);
    }

    /// <summary>Forgets what is not owned any more, and all partitions of an earlier consumer.</summary>
    private void Release(ConsumerStatus status, TimeSpan passed)
    {
        var owned = status.Partitions.Select(p => p.Source).ToHashSet();
        foreach (var source in _watched.Keys.Where(s => status.Rebuilds != _rebuilds || !owned.Contains(s)).ToList())
            _watched.Remove(source);
        _rebuilds = status.Rebuilds;
        foreach (var (source, trouble) in _troubles.ToList())
        {
            // A consumer built anew gets its partitions back a little later.
            trouble.AbsentFor = owned.Contains(source) ? TimeSpan.Zero : trouble.AbsentFor + passed;
            if (trouble.AbsentFor >= options.StuckAfter) _troubles.Remove(source);
        }
    }

    private (StallClass, string?) Classify(PartitionWatch watch, PartitionStatus status, LogOffsets? offsets)
    {
        if (watch.OwnedFor < options.AssignmentGrace) return (StallClass.None, null);
        if (offsets is not { } log) return (StallClass.Unknown, "the log does not say where it ends");
        var stuck = options.StuckAfter;
        if (watch.RunsFor >= stuck)
            return (StallClass.Handler, $"{status.Activity.Running} handlers run and none has ended for {Text(watch.RunsFor)}");
        if (watch.HeadFor >= stuck)
            return (StallClass.Head, $"record {status.LowWaterMark} is not done for {Text(watch.HeadFor)}, and all later ones wait for it");
        if (watch.CommitFor >= stuck)
            return (StallClass.Commit, $"{log.Committed} is committed and {status.LowWaterMark} is not for {Text(watch.CommitFor)}");
        if (status.IsPaused)
        {
            if (status.Activity.WaitsForBreaker)
                return (StallClass.Breaker, $"paused on purpose: {status.Held} records wait for an open breaker");
            if (watch.FetchFor >= stuck) return (StallClass.Breaker, $"paused on purpose: {status.Held} records wait for their time");
        }
        else if (watch.FetchFor >= stuck && !watch.HasUndone)
        {
            return (StallClass.Fetch, $"nothing is fetched from {watch.Next} on for {Text(watch.FetchFor)}, and the log ends at {log.End}");
        }

        return (StallClass.None, null);
    }

    /// <summary>
    /// First a resume; if nothing comes of it within two looks a new consumer; and another one each time that fetches nothing.
    /// </summary>
    private string? Remedy(PartitionWatch watch, TopicPartition source, List<TopicPartition> resumes, TimeSpan passed)
    {
        if (!_troubles.TryGetValue(source, out var trouble))
        {
            _troubles.Add(source, new FetchTrouble { Next = watch.Next });
            resumes.Add(source);
            return null;
        }

        if (trouble.RebuildAskedAt is null)
        {
            trouble.ResumedFor += passed;
            if (trouble.ResumedFor < interval * 2) return null;
        }
        else if (trouble.RebuildAskedAt == _rebuilds)
        {
            return null;
        }
        else
        {
            trouble.CameTwice = true;
        }

        trouble.RebuildAskedAt = _rebuilds;
        return $"{source} is not fetched from {watch.Next} on";
    }

    private ConsumerHealth Judge(ConsumerSnapshot now, List<PartitionHealth> partitions, TimeSpan passed)
    {
        var (found, reason) = now.Status.IsRunning ? Own(now, passed) : (StallClass.None, null);
        if (partitions.MaxBy(p => p.Class) is { } worst && worst.Class > found)
            (found, reason) = (worst.Class, $"{worst.Source}: {worst.Reason}");
        if (found != _class) (_class, _since) = (found, found == StallClass.None ? null : now.Now);
        return new ConsumerHealth { Group = group, Class = found, Reason = reason, Since = _since };
    }

    /// <summary>What is wrong with the consumer itself, rather than with a partition.</summary>
    private (StallClass, string?) Own(ConsumerSnapshot now, TimeSpan passed)
    {
        var ended = now.Status.EndedSince is { } since && now.Now - since >= options.StuckAfter;
        if (now.IsPollStalled || ended)
        {
            if (!now.LogAnswers) return (StallClass.Unknown, "it does not poll, and the log does not answer");
            return (StallClass.Poll, ended ? $"no new consumer polls since {now.Status.EndedSince:O}" : "its poll does not come back");
        }

        return Orphaned(now, passed) is { } source
            ? (StallClass.Orphan, $"it owns no partition, and {source} is behind and does not move")
            : (StallClass.None, null);
    }

    private TopicPartition? Orphaned(ConsumerSnapshot now, TimeSpan passed)
    {
        if (now.Status.Partitions.Count > 0) _unowned.Clear();
        TopicPartition? found = null;
        foreach (var (source, (committed, end)) in now.Unowned.OrderBy(pair => pair.Key))
        {
            var known = _unowned.TryGetValue(source, out var before) && before.Committed == committed && committed < end;
            var length = known ? before.For + passed : TimeSpan.Zero;
            _unowned[source] = (committed, length);
            if (length >= options.StuckAfter) found ??= source;
        }

        return found;
    }

    private static PartitionHealth Describe(
        PartitionWatch watch, PartitionStatus status, LogOffsets? offsets, string? reason, DateTimeOffset now)
    {
        long? committed = status.Committed ?? offsets?.Committed;
        return new PartitionHealth
        {
            Source = status.Source,
            Class = watch.Class,
            Reason = reason,
            Since = watch.Since,
            Committed = committed,
            LowWaterMark = status.LowWaterMark,
            Position = status.Position,
            End = offsets?.End,
            Lag = offsets is { } log && committed is { } from ? Math.Max(0, log.End - from) : null,
            LagTime = status.UncommittedAt is { } at ? Longest(TimeSpan.Zero, now - at) : offsets is null ? null : watch.FetchFor,
            RunningFor = now - status.Activity.RunningSince,
        };
    }

    private static TimeSpan Longest(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static string Text(TimeSpan length) => $"{(long)length.TotalSeconds} s";

    /// <summary>A partition that was not fetched: from where on, and what was done about it.</summary>
    private sealed class FetchTrouble
    {
        public required long Next { get; init; }
        public TimeSpan AbsentFor { get; set; }
        public TimeSpan ResumedFor { get; set; }

        /// <summary>How often the consumer had been built anew when it was asked for last.</summary>
        public int? RebuildAskedAt { get; set; }
        public bool CameTwice { get; set; }
    }
}
