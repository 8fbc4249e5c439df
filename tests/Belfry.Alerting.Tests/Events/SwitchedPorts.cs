using System.Collections.Concurrent;
using System.Text;
using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Sqlite;
using Belfry.Testing;

namespace Belfry.Alerting.Tests.Events;

/// <summary>A log that fails or hangs when told to, and remembers the rest.</summary>
internal sealed class SwitchedLog : IPartitionedLog
{
    private readonly ConcurrentQueue<string> _appended = [];
    private int _asked;

    public IReadOnlyCollection<string> Appended => _appended;
    public Exception? Fault { get; set; }
    public bool Hangs { get; set; }
    public int Asked => _asked;

    public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        Interlocked.Increment(ref _asked);
        if (Hangs) return new(new TaskCompletionSource().Task);
        if (Fault is not null) return ValueTask.FromException(Fault);
        foreach (var record in records) _appended.Enqueue(Encoding.UTF8.GetString(record.Value.Span));
        return ValueTask.CompletedTask;
    }

    public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
        throw new NotSupportedException();
    public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException();
    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        throw new NotSupportedException();
    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        throw new NotSupportedException();
    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        throw new NotSupportedException();
}

/// <summary>A store whose answers can be lost or late, and that refuses an event of one text.</summary>
internal sealed class SwitchedStore : IOutboxStore
{
    public const string Poison = "poison";
    private readonly TaskCompletionSource _looks = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _gate;

    public SqliteMemoryOutboxStore Inner { get; } = new();
    public bool FailsAfter { get; set; }
    public Exception? Fault { get; set; }
    public int Writes { get; private set; }

    /// <summary>Writes wait until the gate is set.</summary>
    public TaskCompletionSource Close() =>
        _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel)
    {
        Writes++;
        if (_gate is not null) await _gate.Task;
        if (Fault is not null) throw Fault;
        var result = await Inner.WriteAsync(tx => work(new Picky(tx)), cancel);
        return FailsAfter ? throw new StoreUnavailableException("the answer was lost") : result;
    }

    public ValueTask<T> ReadAsync<T>(Func<System.Data.Common.DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
        Inner.ReadAsync(read, cancel);

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
        Inner.PendingAsync(lane, max, cancel);

    /// <summary>Looks fail with it.</summary>
    public Exception? LookFault { get; set; }

    /// <summary>Looks hang until they are cancelled.</summary>
    public bool LooksHang { get; set; }
    public int Looks { get; private set; }

    /// <summary>Looks that hang go on.</summary>
    public void AnswerLooks() => _looks.SetResult();

    public async ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel)
    {
        Looks++;
        if (LookFault is not null) throw LookFault;
        if (LooksHang) await _looks.Task.OrCancelledAsync(cancel);
        return await ((IOutboxStore)Inner).PendingKeysAsync(lane, max, cancel);
    }

    public ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel) =>
        Inner.DeleteAsync(lane, sequences, cancel);

    private sealed class Picky(OutboxTransaction inner) : OutboxTransaction
    {
        public override System.Data.Common.DbConnection Connection => inner.Connection;

        public override ValueTask AddAsync(string lane, IReadOnlyList<OutgoingRecord> records) =>
            records.Any(record => Encoding.UTF8.GetString(record.Value.Span) == Poison)
                ? throw new FormatException(Poison)
                : inner.AddAsync(lane, records);
    }
}

/// <summary>Manual time that tells which waits were begun, so that a test moves it on only then.</summary>
internal sealed class DetourTime : TimeProvider
{
    private readonly ManualTime _inner = new();
    private readonly ConcurrentDictionary<TimeSpan, int> _begun = new();

    /// <summary>Events that were durable by way of the detour so far.</summary>
    public int Durable => Begun(EventDetour.KnownToAll);

    /// <summary>Waits of this length so far.</summary>
    public int Begun(TimeSpan length) => _begun.GetValueOrDefault(length);

    public override long TimestampFrequency => _inner.TimestampFrequency;

    public void Advance(TimeSpan length) => _inner.Advance(length);

    public override DateTimeOffset GetUtcNow() => _inner.GetUtcNow();

    public override long GetTimestamp() => _inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = _inner.CreateTimer(callback, state, dueTime, period);
        _begun.AddOrUpdate(dueTime, 1, static (_, count) => count + 1);
        return timer;
    }
}
