using System.Data.Common;
using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Outbox.Tests;

/// <summary>Messages in a list; the calls a relay makes can be made to fail.</summary>
internal sealed class FakeOutboxStore : IOutboxStore
{
    private readonly Lock _lock = new();
    private readonly List<(string Lane, OutboxMessage Message)> _messages = [];
    private long _sequence;

    /// <summary>Asked before each call by its name; what it returns is thrown.</summary>
    public Func<string, Exception?> Fault { get; set; } = _ => null;

    public int PendingCalls { get; private set; }

    public int Count
    {
        get
        {
            lock (_lock) return _messages.Count;
        }
    }

    public void Add(string lane, params string[] values)
    {
        lock (_lock)
            foreach (var value in values) _messages.Add((lane, new OutboxMessage(++_sequence, FakeLog.Record(value))));
    }

    /// <summary>As a database whose transactions commit in another order than they took their sequences.</summary>
    public void AddAt(long sequence, string lane, string value)
    {
        lock (_lock) _messages.Add((lane, new OutboxMessage(sequence, FakeLog.Record(value))));
    }

    public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel)
    {
        lock (_lock)
        {
            PendingCalls++;
            if (Fault("pending") is { } fault) throw fault;
            return new([.. _messages.Where(m => m.Lane == lane).Select(m => m.Message).OrderBy(m => m.Sequence).Take(max)]);
        }
    }

    public ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (Fault("delete") is { } fault) throw fault;
            _messages.RemoveAll(m => m.Lane == lane && sequences.Contains(m.Message.Sequence));
            return ValueTask.CompletedTask;
        }
    }

    public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) => throw new NotSupportedException();
}
