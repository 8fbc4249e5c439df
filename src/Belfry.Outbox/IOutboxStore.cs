using System.Data.Common;
using Belfry.Log;

namespace Belfry.Outbox;

/// <summary>
/// The seam of the outbox: a database whose transactions carry messages to the log. Implementations: SQLite, PostgreSQL, simulated.
/// Safe for use by several threads.
/// </summary>
public interface IOutboxStore
{
    /// <summary>
    /// Runs <paramref name="work"/> in one transaction with the messages it adds; both are durable once this completes, or neither
    /// is there. An exception from the work rolls back and comes out as it is. The work may run again, after a conflict or another's
    /// failure, so it must only touch the database. On SQLite it runs on the writer's thread and must complete synchronously.
    /// </summary>
    /// <exception cref="StoreUnavailableException">Outcome unknown: read before repeating.</exception>
    ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel);

    /// <summary>Runs <paramref name="read"/> on a connection that sees all committed writes. Do not write through it.</summary>
    ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel);

    /// <summary>The oldest unpublished messages of a lane, in order of <see cref="OutboxMessage.Sequence"/>.</summary>
    ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel);

    /// <summary>
    /// Whose messages wait in a lane: all its keys, where it has at most <paramref name="max"/> of them (at least 1) and at most
    /// <see cref="PendingKeys.MessagesMax"/> messages; else some of them. All that was committed before the call is seen, or was deleted.
    /// Who cancels is let go soon, also by a store that hangs. This implementation reads whole messages; a store that can do with less
    /// should.
    /// </summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    async ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel)
    {
        var oldest = await PendingAsync(lane, PendingKeys.MessagesMax + 1, cancel);
        var keys = oldest.Select(message => message.Record.OrderingKey).Distinct(StringComparer.Ordinal).Take(max + 1).ToList();
        return new PendingKeys(
            keys.Take(max).ToHashSet(StringComparer.Ordinal), keys.Count <= max && oldest.Count <= PendingKeys.MessagesMax);
    }

    /// <summary>Removes published messages; those already gone are ignored.</summary>
    ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel);

    /// <summary>
    /// The right to publish a lane, for as long as one lot takes; null while another relay has it. A store that several processes share
    /// must give it to one of them at a time, and take it back from one that is gone. One that serves one process gives it to whoever
    /// asks.
    /// </summary>
    ValueTask<IAsyncDisposable?> TryHoldLaneAsync(string lane, CancellationToken cancel) => new(LaneOfOneProcess.Held);

    private sealed class LaneOfOneProcess : IAsyncDisposable
    {
        public static readonly LaneOfOneProcess Held = new();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>An open transaction. Valid only inside the work that got it.</summary>
public abstract class OutboxTransaction
{
    /// <summary>The connection, inside the transaction: commands made from it take part.</summary>
    public abstract DbConnection Connection { get; }

    /// <summary>
    /// Adds messages in order. A lane is published in order by one relay: give all records of an ordering key the same lane.
    /// </summary>
    public abstract ValueTask AddAsync(string lane, IReadOnlyList<OutgoingRecord> records);
}

/// <summary>A message that waits to be published.</summary>
/// <param name="Sequence">Grows within the lane in order of adding; may have gaps.</param>
/// <param name="Record">What to append.</param>
public sealed record OutboxMessage(long Sequence, OutgoingRecord Record);

/// <summary>Whose messages wait in a lane.</summary>
/// <param name="OrderingKeys">Of the messages that were looked at; ordinal.</param>
/// <param name="IsWhole">False: there are more messages, and any key may be among them.</param>
public sealed record PendingKeys(IReadOnlySet<string> OrderingKeys, bool IsWhole)
{
    /// <summary>So many messages are looked at, the oldest ones: a look must stay short, however long a lane has grown.</summary>
    public const int MessagesMax = 20_000;
}

/// <summary>The store did not answer, or its answer was lost: what was asked may have happened.</summary>
public class StoreUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The store is there, but has no room at the moment, as for one more connection. Nothing was done; retryable.</summary>
public sealed class StoreBusyException(string message, Exception? inner = null) : StoreUnavailableException(message, inner);
