using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>
/// The owners of one member's partitions, kept in step with the assignment: started, fed, paused, drained and let go of. Used by the
/// poll loop, and by a poll that it has given up and that is not over yet.
/// </summary>
internal sealed partial class OwnerSet(
    ConsumerGroup group, PartitionOwnerFactory owners, ConsumerOptions options, TimeProvider time, ILogger logger) : IAssignmentListener
{
    private readonly CancellationTokenSource _faulted = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();

    // Changed under the lock, and read under it where a poll that was given up may be in the midst of a change.
    private readonly SortedDictionary<TopicPartition, OwnedPartition> _sources = [];
    private readonly SortedDictionary<TopicPartition, OwnedPartition> _owners = [];
    private bool _isDeaf;

    // The commit that runs beside the polls, if any.
    private (Task Ended, IReadOnlyList<Mark> Marks)? _commit;

    // Kept when its owner is let go of meanwhile: whoever is woken by it must find it.
    private volatile Exception? _fault;
    private volatile bool _isRevoking;

    /// <summary>The fault of an owner that ended by itself; the consumer must be built anew.</summary>
    public Exception? Fault => _fault;

    /// <summary>Cancelled when an owner has ended by itself, so that a poll need not run to its end first.</summary>
    public CancellationToken Faulted => _faulted.Token;

    /// <summary>Owned partitions.</summary>
    public int Count => _sources.Count;

    public bool AnyPaused { get; private set; }

    /// <summary>A revocation is under way: the poll takes as long as its drain does.</summary>
    public bool IsRevoking => _isRevoking;

    /// <summary>Told right before <see cref="IsRevoking"/> ends.</summary>
    public Action? Revoked { get; set; }

    /// <summary>Something is held, or done and not committed: polls are to come back in time for the next commit.</summary>
    public bool AnyUncommitted =>
        _owners.Values.Any(owned => owned.Owner.Held > 0 || owned.Sources.Any(source => owned.Uncommitted(source) is not null));

    /// <summary>A poll that was given up may still come to its end: from here on nobody listens to it.</summary>
    public void Deafen()
    {
        lock (_lock) _isDeaf = true;
    }

    public void Assigned(IReadOnlyList<TopicPartition> partitions)
    {
        foreach (var unit in partitions.Order().GroupBy(UnitOf).OrderBy(u => u.Key))
        {
            if (IsDeaf) return;
            TopicPartition[] sources = [.. unit];
            var owned = new OwnedPartition(sources, owners(unit.Key.Partition, sources));
            if (!TryAdd(unit.Key, owned)) return;
            owned.Start(OwnerEnded);
        }

        AssignmentChanged(group.Name, "assigned", string.Join(", ", partitions.Order()));
    }

    public async ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions)
    {
        if (IsDeaf)
        {
            // Given back before, others would begin what still runs here.
            await _drained.Task;
            return;
        }

        AssignmentChanged(group.Name, "revoked", string.Join(", ", partitions.Order()));
        var leaving = UnitsOf(partitions);
        _isRevoking = true;
        try
        {
            await DrainAsync(leaving);
            await SettleCommitAsync();
            await CommitAsync(consumer, leaving);
        }
        catch (Exception fault) when (fault is LogUnavailableException or OwnershipLostException)
        {
            // The next owner repeats what was not committed; holding on to the partition would help nobody.
            LastCommitFailed(fault, group.Name);
        }
        finally
        {
            Revoked?.Invoke();
            _isRevoking = false;
        }

        foreach (var owned in leaving) Remove(owned);
    }

    public void Lost(IReadOnlyList<TopicPartition> partitions)
    {
        if (IsDeaf) return;
        AssignmentChanged(group.Name, "lost", string.Join(", ", partitions.Order()));
        foreach (var owned in UnitsOf(partitions)) Remove(owned);
    }

    /// <summary>Hands out the records of one poll, each owner's in their order.</summary>
    public void Offer(IReadOnlyList<LogRecord> records)
    {
        for (var at = 0; at < records.Count;)
        {
            var owned = _sources[records[at].Source];
            var from = at;
            while (++at < records.Count && records[at].Source == records[from].Source)
            {
                // One partition's records usually come in one run.
            }

            owned.HandedOut[records[from].Source].Add(records[from], records[at - 1]);
            owned.Owner.Offer(from == 0 && at == records.Count ? records : [.. records.Skip(from).Take(at - from)]);
        }
    }

    /// <summary>Pauses who is full, resumes who is down to half.</summary>
    public void Throttle(ILogConsumer consumer)
    {
        AnyPaused = false;
        foreach (var owned in _owners.Values)
        {
            var held = owned.Owner.Held;
            if (!owned.IsPaused && held >= options.HeldMax)
            {
                owned.IsPaused = true;
                foreach (var source in owned.Sources) consumer.Pause(source);
            }
            else if (owned.IsPaused && held <= options.HeldMax / 2)
            {
                owned.IsPaused = false;
                foreach (var source in owned.Sources) consumer.Resume(source);
            }

            AnyPaused |= owned.IsPaused;
        }
    }

    /// <summary>
    /// Begins to commit what is due, or ends what was begun. False while that runs: a commit waits as long as its group's rebalance does,
    /// and the partitions that stay are not to wait with it. Throws the commit's fault.
    /// </summary>
    public async ValueTask<bool> CommitBesideAsync(ILogConsumer consumer, CancellationToken cancel)
    {
        _commit ??= Begin(consumer, _owners.Values, cancel);
        if (_commit is not { } commit) return true;
        if (!commit.Ended.IsCompleted) return false;
        await EndCommitAsync(commit);
        return true;
    }

    /// <summary>
    /// Ends a pause that the consumer may have kept although nobody wants it; a no-op for a partition that is full or not owned.
    /// </summary>
    public void ResumeLeaked(ILogConsumer consumer, TopicPartition source)
    {
        if (_sources.TryGetValue(source, out var owned) && !owned.IsPaused) consumer.Resume(source);
    }

    /// <summary>Drains and commits all, then lets go of them. A failed commit costs a repetition, nothing more.</summary>
    public async ValueTask CloseAsync(ILogConsumer consumer)
    {
        OwnedPartition[] healthy = [.. Owned().Where(o => o.Fault is null)];
        await DrainAsync(healthy);
        await SettleCommitAsync();
        await CommitAsync(consumer, healthy);
        Abandon();
    }

    /// <summary>Drains all without committing: their consumer does not answer any more.</summary>
    public async ValueTask DrainAsync()
    {
        try
        {
            await DrainAsync([.. Owned().Where(o => o.Fault is null)]);
        }
        finally
        {
            _drained.TrySetResult();
        }
    }

    /// <summary>Lets go of all at once; nothing is committed.</summary>
    public void Abandon()
    {
        foreach (var owned in Owned()) Remove(owned);
        _drained.TrySetResult();
    }

    public IReadOnlyList<PartitionStatus> Describe() => [.. _sources.Select(s => Describe(s.Key, s.Value))];

    private static PartitionStatus Describe(TopicPartition source, OwnedPartition owned)
    {
        var mark = owned.Owner.LowWaterMark(source);
        long? committed = owned.Committed.TryGetValue(source, out var at) ? at : null;
        return new PartitionStatus(source, owned.Owner.Held, mark, committed, owned.IsPaused)
        {
            Position = owned.HandedOut[source].Position,
            UncommittedAt = owned.HandedOut[source].AppendedAt(committed),
            Activity = owned.Owner.Activity,
        };
    }

    /// <summary>Starts no more work in these, and waits for what runs, all within one budget.</summary>
    private async Task DrainAsync(IReadOnlyList<OwnedPartition> leaving)
    {
        if (leaving.Count == 0) return;
        using var budget = new CancellationTokenSource(options.DrainBudget, time);
        // All stop at once; each is awaited in turn, for the slowest one decides anyway.
        var stops = leaving.Select(owned => StopAsync(owned, budget.Token)).ToList();
        foreach (var stop in stops) await stop;
    }

    private async Task StopAsync(OwnedPartition owned, CancellationToken budget)
    {
        try
        {
            await owned.Owner.StopAsync(budget);
        }
        catch (Exception fault)
        {
            // Its low-water mark stands as it is: what it did not finish is handed out again.
            OwnerFailed(fault, owned.Name);
        }
    }

    private async ValueTask CommitAsync(ILogConsumer consumer, IEnumerable<OwnedPartition> of)
    {
        if (Begin(consumer, of, CancellationToken.None) is { } commit) await EndCommitAsync(commit);
    }

    private static (Task Ended, IReadOnlyList<Mark> Marks)? Begin(
        ILogConsumer consumer, IEnumerable<OwnedPartition> of, CancellationToken cancel)
    {
        List<Mark> marks = [];
        foreach (var owned in of.Where(owned => owned.Fault is null))
            foreach (var source in owned.Sources)
                if (owned.Uncommitted(source) is { } next) marks.Add(new Mark(owned, source, next));
        if (marks.Count == 0) return null;
        var due = marks.ConvertAll(mark => new KeyValuePair<TopicPartition, long>(mark.Source, mark.Next));
        return (CommittedAsync(), marks);

        // What the log throws at once is the commit's fault as well.
        async Task CommittedAsync() => await consumer.CommitAsync(due, cancel);
    }

    private async ValueTask EndCommitAsync((Task Ended, IReadOnlyList<Mark> Marks) commit)
    {
        try
        {
            await commit.Ended;
        }
        finally
        {
            _commit = null;
        }

        foreach (var (owned, source, next) in commit.Marks) owned.Committed[source] = next;
    }

    /// <summary>Waits for the commit beside the polls, so that none of older marks comes after one of newer marks.</summary>
    private async ValueTask SettleCommitAsync()
    {
        if (_commit is not { } commit) return;
        try
        {
            await EndCommitAsync(commit);
        }
        catch (Exception fault) when (fault is LogUnavailableException or OwnershipLostException or OperationCanceledException)
        {
            // The commit that follows has these marks, or newer ones.
            EarlierCommitFailed(fault, group.Name);
        }
    }

    private bool IsDeaf
    {
        get
        {
            lock (_lock) return _isDeaf;
        }
    }

    private OwnedPartition[] Owned()
    {
        lock (_lock) return [.. _owners.Values];
    }

    private List<OwnedPartition> UnitsOf(IReadOnlyList<TopicPartition> partitions)
    {
        lock (_lock)
            return [.. partitions.Order().Select(p => _sources.GetValueOrDefault(p)).OfType<OwnedPartition>().Distinct()];
    }

    private TopicPartition UnitOf(TopicPartition source) => group.CoPartitioned ? new TopicPartition("", source.Partition) : source;

    /// <summary>False: nobody listens any more, so nobody would let go of it. It was not started, and is forgotten.</summary>
    private bool TryAdd(TopicPartition unit, OwnedPartition owned)
    {
        lock (_lock)
        {
            if (_isDeaf) return false;
            _owners.Add(unit, owned);
            foreach (var source in owned.Sources) _sources.Add(source, owned);
            return true;
        }
    }

    /// <summary>Cancelled first: whoever finds it gone may count on that.</summary>
    private void Remove(OwnedPartition owned)
    {
        owned.Cancel(logger);
        lock (_lock)
        {
            _owners.Remove(UnitOf(owned.Sources[0]));
            foreach (var source in owned.Sources) _sources.Remove(source);
        }
    }

    private void OwnerEnded(OwnedPartition owned, Exception fault)
    {
        OwnerFailed(fault, owned.Name);
        _fault ??= fault;
        _faulted.CancelSafely(logger, group.Name);
    }

    [LoggerMessage(1021, LogLevel.Information, "Group {Group}: {Change} {Partitions}")]
    private partial void AssignmentChanged(string group, string change, string partitions);

    [LoggerMessage(1023, LogLevel.Warning,
        "Group {Group}: the commit at a revocation failed; the records since the last commit come again")]
    private partial void LastCommitFailed(Exception fault, string group);

    [LoggerMessage(1024, LogLevel.Debug, "Group {Group}: a commit failed that another one follows")]
    private partial void EarlierCommitFailed(Exception fault, string group);

    [LoggerMessage(1022, LogLevel.Error, "The owner of {Partition} failed")]
    private partial void OwnerFailed(Exception fault, string partition);
}

/// <summary>What of one source is to be committed.</summary>
internal readonly record struct Mark(OwnedPartition Owned, TopicPartition Source, long Next);

/// <summary>One owner, its sources, and what the poll loop knows of it.</summary>
internal sealed class OwnedPartition(IReadOnlyList<TopicPartition> sources, IPartitionOwner owner)
{
    private readonly CancellationTokenSource _cancel = new();
    private volatile Exception? _fault;

    public IReadOnlyList<TopicPartition> Sources => sources;
    public IPartitionOwner Owner => owner;
    public Dictionary<TopicPartition, long> Committed { get; } = [];
    public IReadOnlyDictionary<TopicPartition, HandedOut> HandedOut { get; } = sources.ToDictionary(s => s, _ => new HandedOut());
    public bool IsPaused { get; set; }
    public Exception? Fault => _fault;
    public string Name => string.Join('+', sources);

    public void Start(Action<OwnedPartition, Exception> ended) => _ = RunAsync(ended);

    /// <summary>The low-water mark when it is past what was committed, else null.</summary>
    public long? Uncommitted(TopicPartition source) =>
        owner.LowWaterMark(source) is { } mark && Committed.GetValueOrDefault(source, -1) < mark ? mark : null;

    public void Cancel(ILogger logger) => _cancel.CancelSafely(logger, Name);

    private async Task RunAsync(Action<OwnedPartition, Exception> ended)
    {
        // Let go of before it began.
        if (_cancel.IsCancellationRequested) return;
        try
        {
            await owner.RunAsync(_cancel.Token);
        }
        catch (Exception) when (_cancel.IsCancellationRequested)
        {
            // Let go of already: nobody waits for how it ended.
        }
        catch (Exception fault)
        {
            _fault = fault;
            ended(this, fault);
        }
    }
}
