using Belfry.Deliveries;
using Belfry.Outbox;
using Belfry.Scheduling;
using Npgsql;
using static Belfry.Postgres.PostgresCommands;

namespace Belfry.Postgres;

/// <summary>
/// The databases were laid out for another number of shards, or in another order, and hold rows: those would be looked for elsewhere.
/// Never retryable: the operator must decide.
/// </summary>
public sealed class ShardLayoutException(string message) : Exception(message);

/// <summary>
/// Tasks and deliveries over one or several databases, by 4,096 buckets: bucket <c>b</c> of <c>n</c> databases lies in number
/// <c>b * n / 4096</c>. The first one is home: it alone counts epochs and keeps the tasks' positions, and whatever is not sharded. Safe for
/// use by several threads. Design section 7.
/// </summary>
public sealed class PostgresShards : IAsyncDisposable
{
    internal const int Buckets = 4_096;

    private readonly IReadOnlyList<PostgresDatabase> _databases;
    private readonly IReadOnlyList<PostgresTaskStore> _tasks;

    private PostgresShards(IReadOnlyList<PostgresDatabase> databases)
    {
        _databases = databases;
        _tasks = [.. databases.Select(database => new PostgresTaskStore(database))];
        var deliveries = databases.Select(database => new PostgresDeliveryStore(database)).ToList();
        Tasks = _tasks.Count == 1 ? _tasks[0] : new ShardedTaskStore(_tasks);
        Deliveries = deliveries.Count == 1 ? deliveries[0] : new ShardedDeliveryStore(deliveries);
    }

    public PostgresDatabase Home => _databases[0];

    public ITaskStore Tasks { get; }

    public IDeliveryStore Deliveries { get; }

    /// <summary>
    /// Brings the tables of all databases up to date, checks that they belong together, and opens them: the one of
    /// <see cref="PostgresOptions.ConnectionString"/> as home, and those of <see cref="PostgresOptions.Shards"/>.
    /// </summary>
    /// <exception cref="ShardLayoutException">They hold rows, and were laid out otherwise.</exception>
    /// <exception cref="PostgresSchemaException">A schema is not this program's.</exception>
    /// <exception cref="StoreUnavailableException">A server cannot be reached. Retryable.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static ValueTask<PostgresShards> OpenAsync(PostgresOptions options, CancellationToken cancel)
    {
        options.Validate();
        return OpenAsync([.. options.EachDatabase()], cancel);
    }

    internal static async ValueTask<PostgresShards> OpenAsync(IReadOnlyList<PostgresOptions> shards, CancellationToken cancel)
    {
        foreach (var shard in shards) await PostgresSchema.MigrateAsync(shard, cancel);
        var opened = new List<PostgresDatabase>();
        try
        {
            foreach (var shard in shards) opened.Add(PostgresDatabase.Open(shard));
            await LayOutAsync(opened, cancel);
            return new PostgresShards(opened);
        }
        catch
        {
            foreach (var database in opened) await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Makes the index that a topic of tasks of this partition count needs, ahead of its first owner, who would wait for it, and who may
    /// have no right to make one. Safe to repeat.
    /// </summary>
    /// <param name="partitions">Of the topic.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask PrepareTasksAsync(int partitions, CancellationToken cancel)
    {
        foreach (var tasks in _tasks) await tasks.PrepareAsync(partitions, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var database in _databases) await database.DisposeAsync();
    }

    /// <summary>Where a key's rows lie, by the positive hash that also gives partitions.</summary>
    internal static int ShardOf(int hash, int shards) => hash % Buckets * shards / Buckets;

    /// <summary>
    /// All as asked for already, or all empty: then it is written down. A database from before there were shards is number 0 of one.
    /// </summary>
    private static async ValueTask LayOutAsync(List<PostgresDatabase> databases, CancellationToken cancel)
    {
        var found = new List<Layout>();
        foreach (var database in databases) found.Add(await ReadAsync(database, cancel));
        if (!found.Select((layout, n) => layout.Is(n, databases.Count)).All(isIt => isIt))
        {
            for (var n = 0; n < found.Count; n++)
            {
                if (found[n].IsEmpty) continue;
                throw new ShardLayoutException(
                    $"'{databases[n].Name}' is to be shard {n} of {databases.Count}, but holds rows of shard {found[n].Shard} of " +
                    $"{found[n].Shards}, or another of the shards is empty or elsewhere: rows would be looked for in the wrong place. " +
                    "Restore Postgres:ConnectionString and Postgres:Shards in their order, or start with empty databases.");
            }
        }

        for (var n = 0; n < found.Count; n++)
        {
            if (found[n].IsWritten && found[n].Is(n, databases.Count)) continue;
            var shard = n;
            await databases[n].WriteAsync(
                connection => connection.Statement(
                    """
                    insert into shard_layout (one, shard, shards) values (1, $1, $2)
                    on conflict (one) do update set shard = excluded.shard, shards = excluded.shards
                    """, Of(shard), Of(databases.Count)).RunAsync(cancel),
                cancel);
        }
    }

    private static ValueTask<Layout> ReadAsync(PostgresDatabase database, CancellationToken cancel) => database.ReadAsync(
        async connection => (await connection.Statement("""
            select (select shard from shard_layout), (select shards from shard_layout),
                not exists (select from task) and not exists (select from task_undecodable) and not exists (select from delivery)
                and not exists (select from task_owner where position > 0)
            """).ListAsync(Layout.Read, cancel)).Single(),
        cancel);

    private sealed record Layout(bool IsWritten, int Shard, int Shards, bool IsEmpty)
    {
        public static Layout Read(NpgsqlDataReader row) => row.IsDBNull(0)
            ? new(false, 0, 1, row.GetBoolean(2))
            : new(true, row.GetInt32(0), row.GetInt32(1), row.GetBoolean(2));

        public bool Is(int shard, int shards) => Shard == shard && Shards == shards;
    }
}
