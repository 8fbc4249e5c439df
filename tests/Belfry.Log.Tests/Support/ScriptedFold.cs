namespace Belfry.Log.Tests;

/// <summary>A fold that remembers, with a store of positions, and fails as told.</summary>
internal sealed class ScriptedFold : IBatchFold
{
    private int _turns;

    public Dictionary<TopicPartition, long> Positions { get; } = [];
    public List<LogRecord> Folded { get; } = [];
    public List<int> Sizes { get; } = [];
    public List<(LogRecord Record, string Reason)> Rejected { get; } = [];
    public TimeProvider Time { get; set; } = TimeProvider.System;
    public int Loads { get; private set; }
    public int LoadFaults { get; set; }
    public int Stops { get; private set; }

    /// <summary>Failed turns of one record.</summary>
    public int AloneTries { get; private set; }

    /// <summary>The fault of a turn, by its batch and its number from 1; null: none.</summary>
    public Func<IReadOnlyList<LogRecord>, int, Exception?> Fault { get; set; } = (_, _) => null;

    public bool AppliesBeforeFault { get; set; }

    public TimeSpan Takes { get; set; }

    /// <summary>Called with the token of each turn as it begins.</summary>
    public Action<CancellationToken> Begun { get; set; } = _ => { };

    public ValueTask<IReadOnlyDictionary<TopicPartition, long>> LoadAsync(CancellationToken cancel)
    {
        if (LoadFaults-- > 0) throw new InvalidOperationException("store down");
        Loads++;
        return ValueTask.FromResult<IReadOnlyDictionary<TopicPartition, long>>(new Dictionary<TopicPartition, long>(Positions));
    }

    public async ValueTask FoldAsync(IReadOnlyList<LogRecord> batch, CancellationToken cancel)
    {
        Begun(cancel);
        var fault = Fault(batch, ++_turns);
        if (Takes > TimeSpan.Zero) await Task.Delay(Takes, Time, cancel);
        if (fault is not null && batch.Count == 1) AloneTries++;
        if (fault is not null && !AppliesBeforeFault) throw fault;
        Sizes.Add(batch.Count);
        Folded.AddRange(batch);
        foreach (var record in batch) Positions[record.Source] = record.Offset + 1;
        if (fault is not null) throw fault;
    }

    public ValueTask RejectAsync(LogRecord record, string reason, CancellationToken cancel)
    {
        Rejected.Add((record, reason));
        Positions[record.Source] = record.Offset + 1;
        return ValueTask.CompletedTask;
    }

    public ValueTask StopAsync(CancellationToken cancel)
    {
        Stops++;
        return ValueTask.CompletedTask;
    }
}
