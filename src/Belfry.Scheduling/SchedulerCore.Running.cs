namespace Belfry.Scheduling;

/// <summary>Lanes: what may run, what runs, and what became of it.</summary>
internal sealed partial class SchedulerCore
{
    /// <summary>
    /// The outcome of <see cref="SchedulerEffect.Run"/>; null when the attempt was given up by a stop and does not count.
    /// </summary>
    public void Ran(long sequence, TaskOutcome? outcome, SchedulerInstant now)
    {
        if (!_running.Remove(sequence, out var entry)) throw new InvalidOperationException($"Task {sequence} does not run.");
        var lane = _lanes[entry.Id.OrderingId];
        lane.Running = null;
        entry.IsRunning = false;
        if (entry.IsSuperseded)
        {
            entry.IsSuperseded = false;
            if (entry.State == TaskState.Cancelled && outcome is TaskOutcome.Done) Ended(entry, TaskState.Done, null, now);
            else if (entry.IsOpen) Settle(entry, now, isFresh: false);
        }
        else
        {
            Decide(entry, outcome, now);
            if (entry.IsOpen) Admit(entry, lane, now);
        }

        Release(entry);
        Place(lane, now);
    }

    private void Decide(TaskEntry entry, TaskOutcome? outcome, SchedulerInstant now)
    {
        switch (outcome)
        {
            case TaskOutcome.Done:
                entry.Attempts++;
                Ended(entry, TaskState.Done, null, now);
                break;
            case TaskOutcome.Fail(var reason):
                entry.Attempts++;
                Ended(entry, TaskState.Dead, reason, now);
                break;
            case TaskOutcome.Retry(var reason, var after):
                entry.Attempts++;
                var backoff = BackoffOf(entry.Id.Kind);
                if (entry.Attempts >= backoff.AttemptsMax)
                {
                    Ended(entry, TaskState.Dead, $"Out of attempts ({entry.Attempts}): {reason}", now);
                    break;
                }

                var waitMs = after is { } asked
                    ? Math.Max(0, (long)asked.TotalMilliseconds)
                    : backoff.WaitMs(entry.Attempts, entry.Sequence);
                entry.NextAttemptMs = now.WallMs + waitMs;
                entry.RetryAtMonoMs = now.MonoMs + waitMs;
                entry.Reason = reason.Length > StoredTask.ReasonCharsMax ? reason[..StoredTask.ReasonCharsMax] : reason;
                entry.Touch();
                QueueFlush(entry, now);
                break;
        }
    }

    private void Ended(TaskEntry entry, TaskState state, string? reason, SchedulerInstant now)
    {
        entry.End(state, reason, now.WallMs);
        entry.Touch();
        QueueFlush(entry, now);
    }

    /// <summary>Gives a task that was made or changed its place: its lane, or the way to the store.</summary>
    private void Settle(TaskEntry entry, SchedulerInstant now, bool isFresh)
    {
        if (entry.IsRunning)
        {
            QueueFlush(entry, now);
            return;
        }

        if (entry.State == TaskState.Waiting && entry.Key <= _cursor && LaneOf(entry.Id.OrderingId) is var lane && lane.Admits(entry.Key))
        {
            Admit(entry, lane, now);
            if (isFresh && entry.DueMs <= now.WallMs + ShortWayMs) _shortWay.Enqueue((entry, now.MonoMs + ShortWayMs));
            else QueueFlush(entry, now);
            Place(lane, now);
            return;
        }

        MarkStray(entry);
        QueueFlush(entry, now);
    }

    private void Admit(TaskEntry entry, TaskLane lane, SchedulerInstant now)
    {
        ClearStray(entry);
        lane.Add(entry);
        Resident++;
        ResidentBytes += entry.Bytes;
        if (lane.Count > options.LaneResidentMax && !lane.IsLong)
        {
            lane.IsLong = true;
            _longLanes.Add(lane);
            if (_longLanes.Count > 1_024 + _lanes.Count) _longLanes.RemoveAll(old => !(old.IsLong = old.Count > options.LaneResidentMax));
        }

        Place(lane, now);
    }

    /// <summary>Takes a task out of its lane, if it is in it; the entry stays known until its change is durable.</summary>
    private void Evict(TaskEntry entry, SchedulerInstant now)
    {
        if (!entry.InLane) return;
        var lane = _lanes[entry.Id.OrderingId];
        lane.Remove(entry);
        Resident--;
        ResidentBytes -= entry.Bytes;
        Place(lane, now);
    }

    /// <summary>Puts a lane where it will next be looked at, by its head alone.</summary>
    private void Place(TaskLane lane, SchedulerInstant now)
    {
        lane.Stamp++;
        if (lane.Running is not null) return;
        if (lane.Head is not { } head)
        {
            if (lane.TruncatedAfter is not null) AskForLane(lane);
            else if (lane.IsIdle) _lanes.Remove(lane.OrderingId);
            return;
        }

        if (head.Attempts > 0 && !head.IsDurable) return;
        if (head.RetryAtMonoMs > now.MonoMs) _byRetry.Place(lane, head.RetryAtMonoMs, _lanes.Count);
        else if (head.DueMs > now.WallMs) _byDue.Place(lane, head.DueMs, _lanes.Count);
        else _ready.Place(lane, head.Key, _lanes.Count);
    }

    private void WakeLanes(SchedulerInstant now)
    {
        while (_byRetry.TryPeek(out var lane, out var atMs) && atMs <= now.MonoMs)
        {
            _byRetry.Take();
            Place(lane, now);
        }

        while (_byDue.TryPeek(out var lane, out var atMs) && atMs <= now.WallMs)
        {
            _byDue.Take();
            Place(lane, now);
        }
    }

    /// <summary>Starts what is due, oldest first, up to the bound. Tasks of unknown kinds are parked aside.</summary>
    private void StartReady(SchedulerInstant now, List<SchedulerEffect> effects)
    {
        if (_stopping) return;
        while (_running.Count < options.RunningMax && _ready.TryPeek(out var lane, out _))
        {
            _ready.Take();
            var head = lane.Head!;
            if (head.DueMs > now.WallMs)
            {
                Place(lane, now);
                continue;
            }

            if (!kinds.Contains(head.Id.Kind))
            {
                Evict(head, now);
                head.State = TaskState.Parked;
                head.Reason = $"No handler of this worker knows the kind '{head.Id.Kind}'.";
                head.Touch();
                QueueFlush(head, now);
                continue;
            }

            lane.Running = head;
            head.IsRunning = true;
            Evict(head, now);
            _running.Add(head.Sequence, head);
            effects.Add(new SchedulerEffect.Run(head.Sequence, new DueTask(head.ToTask(), head.Attempts + 1, _epoch)));
        }
    }

    /// <summary>Forgets an entry that memory has no more use for.</summary>
    private void Release(TaskEntry entry)
    {
        if (entry is not { InLane: false, IsRunning: false, IsDurable: true }) return;
        if (_lot.Count > 0) _releaseAfterLot.Add(entry);
        else _entries.Remove(entry.Id);
    }
}
