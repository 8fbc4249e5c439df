namespace Belfry.Log;

/// <summary>
/// For how long each figure of one partition has stood still while it should have moved. Pure; for <see cref="StallDetector"/>.
/// </summary>
internal sealed class PartitionWatch
{
    private long? _committed;
    private long? _mark;
    private long? _position;
    private long _completed;
    private Standing _commit;
    private Standing _head;
    private Standing _runs;
    private Standing _fetch;

    /// <summary>Since its assignment, as far as looks tell.</summary>
    public TimeSpan OwnedFor { get; private set; }

    /// <summary>A commit is due and does not get through.</summary>
    public TimeSpan CommitFor => _commit.For;

    /// <summary>Records were handed out that are not done, and the low-water mark stands.</summary>
    public TimeSpan HeadFor => _head.For;

    /// <summary>Handlers run and none ends.</summary>
    public TimeSpan RunsFor => _runs.For;

    /// <summary>The log has more, and nothing is handed out.</summary>
    public TimeSpan FetchFor => _fetch.For;

    /// <summary>Records were handed out that are not done.</summary>
    public bool HasUndone { get; private set; }

    /// <summary>The next offset to be handed out.</summary>
    public long Next { get; private set; }

    public StallClass Class { get; private set; }
    public DateTimeOffset? Since { get; private set; }

    /// <param name="status">As it is.</param>
    /// <param name="offsets">Null: unknown, then no figure counts as having stood still.</param>
    /// <param name="passed">Since the last look.</param>
    public void Look(PartitionStatus status, LogOffsets? offsets, TimeSpan passed)
    {
        OwnedFor += passed;
        var committed = status.Committed ?? offsets?.Committed;
        var activity = status.Activity;
        HasUndone = status.Position is { } position && !(status.LowWaterMark >= position);
        Next = status.Position ?? committed ?? Next;
        _commit.Look(committed != _committed, offsets is null ? null : status.LowWaterMark > committed, passed);
        _head.Look(status.LowWaterMark != _mark, offsets is null ? null : HasUndone, passed);
        _runs.Look(activity.Completed != _completed, offsets is null ? null : activity.Running > 0, passed);
        _fetch.Look(status.Position != _position, offsets is null ? null : Next < offsets.Value.End, passed);
        (_committed, _mark) = (committed ?? _committed, status.LowWaterMark);
        (_position, _completed) = (status.Position, activity.Completed);
    }

    public void Tell(StallClass found, DateTimeOffset now)
    {
        if (found == Class) return;
        (Class, Since) = (found, found == StallClass.None ? null : now);
    }

    /// <summary>One figure: for how long it has not moved, counted from the first look that saw it behind.</summary>
    private struct Standing
    {
        private bool _stood;

        public TimeSpan For { get; private set; }

        /// <param name="moved">Since the last look.</param>
        /// <param name="isBehind">It should move; null: unknown, then this look counts for nothing.</param>
        /// <param name="passed">Since the last look.</param>
        public void Look(bool moved, bool? isBehind, TimeSpan passed)
        {
            if (moved || isBehind == false) For = TimeSpan.Zero;
            else if (isBehind == true && _stood) For += passed;
            _stood = isBehind ?? (_stood && !moved);
        }
    }
}
