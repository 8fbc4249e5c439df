using Belfry.Log;
using Belfry.Scheduling;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// Which topic tasks are written to, and which were before: instances read it when they start, <c>belfry topics repartition</c> writes it.
/// Safe for use by several threads.
/// </summary>
public sealed class PostgresTaskTopics(PostgresDatabase database)
{
    private const string List = "select generation, topic, partitions, retired_ms from task_topic order by generation";

    /// <summary>All generations, oldest first; empty while there was never but one.</summary>
    /// <exception cref="Outbox.StoreUnavailableException">Retryable.</exception>
    public async ValueTask<IReadOnlyList<TaskTopic>> ListAsync(CancellationToken cancel) => await database.ReadAsync(
        connection => connection.Statement(List).ListAsync(Read, cancel), cancel);

    /// <summary>The newest epoch of each partition of a topic: whoever takes one over raises it.</summary>
    public async ValueTask<IReadOnlyDictionary<int, long>> EpochsAsync(string topic, CancellationToken cancel) =>
        await database.ReadAsync(connection => EpochsAsync(connection, topic, "", cancel), cancel);

    /// <summary>
    /// Retires <paramref name="from"/> for <paramref name="to"/>, in one transaction: from its commit on no owner of the old topic writes
    /// to this database, and none takes over; further ones refuse them before the new topic has an owner. Call only once everything that
    /// is in the old topic is in the store.
    /// </summary>
    /// <param name="from">The current topic.</param>
    /// <param name="to">The next generation; the log has it.</param>
    /// <param name="epochs">Of the old topic, as read before it was seen that nobody owns it.</param>
    /// <param name="at">Now.</param>
    /// <param name="cancel">Helps until the commit.</param>
    /// <returns>False: somebody took a partition over since the epochs were read, or retired the topic; nothing was changed.</returns>
    public async ValueTask<bool> SwitchAsync(
        TaskTopic from, TaskTopic to, IReadOnlyDictionary<int, long> epochs, DateTimeOffset at, CancellationToken cancel) =>
        await database.WriteAsync(
            connection => SwitchAsync(connection, from, to, epochs, at.ToUnixTimeMilliseconds(), cancel), cancel);

    private static async ValueTask<bool> SwitchAsync(
        NpgsqlConnection connection, TaskTopic from, TaskTopic to, IReadOnlyDictionary<int, long> epochs, long atMs,
        CancellationToken cancel)
    {
        // Every take-over touches this row first: it waits for the commit, and then sees the retired topic; or this waits for it.
        var epoch = await connection.Statement("update task_epoch set epoch = epoch + 1 returning epoch").OneAsync(cancel);
        var current = (await connection.Statement(List).ListAsync(Read, cancel)).SingleOrDefault(topic => !topic.IsRetired);
        if (current is not null ? current.Generation != from.Generation : from.Generation != 1) return false;
        var now = await EpochsAsync(connection, from.Name, " for update", cancel);
        if (now.Count != epochs.Count || now.Any(pair => epochs.GetValueOrDefault(pair.Key, -1) != pair.Value)) return false;

        await connection.Statement("update task_owner set epoch = $2 where topic = $1", Of(from.Name), Of(epoch!.Value)).RunAsync(cancel);
        await connection.Statement(
            "insert into task_topic (generation, topic, partitions, made_ms, retired_ms) values ($1, $2, $3, $4, $4) " +
            "on conflict (generation) do update set retired_ms = excluded.retired_ms",
            Of(from.Generation), Of(from.Name), Of(from.Partitions), Of(atMs)).RunAsync(cancel);
        await connection.Statement(
            "insert into task_topic (generation, topic, partitions, made_ms) values ($1, $2, $3, $4)",
            Of(to.Generation), Of(to.Name), Of(to.Partitions), Of(atMs)).RunAsync(cancel);
        return true;
    }

    /// <summary>Call after the statement that raises the epoch, in its transaction.</summary>
    /// <exception cref="OwnershipLostException">The topic is retired: nobody owns it again.</exception>
    internal static async ValueTask ThrowIfRetiredAsync(NpgsqlConnection connection, string topic, CancellationToken cancel)
    {
        var retired = await connection.Statement(
            "select count(*) from task_topic where topic = $1 and retired_ms is not null", Of(topic)).OneAsync(cancel);
        if (retired > 0)
            throw new OwnershipLostException(
                $"Topic '{topic}' is retired and its tasks belong to a newer one: restart this instance, so that it hears of it.");
    }

    private static async ValueTask<Dictionary<int, long>> EpochsAsync(
        NpgsqlConnection connection, string topic, string locking, CancellationToken cancel) =>
        (await connection.Statement("select partition_no, epoch from task_owner where topic = $1" + locking, Of(topic))
            .ListAsync(row => (row.GetInt32(0), row.GetInt64(1)), cancel)).ToDictionary();

    private static TaskTopic Read(NpgsqlDataReader row) =>
        new(row.GetInt32(0), row.Text(1), row.GetInt32(2), IsRetired: !row.IsDBNull(3));
}
