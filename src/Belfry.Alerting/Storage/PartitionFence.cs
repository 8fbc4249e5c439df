using System.Data.Common;
using Belfry.Log;
using Dapper;

namespace Belfry.Alerting.Storage;

/// <summary>
/// Ownership of one fold's partition in the alerting store: its epoch, and the next offset of each source. All calls run inside the
/// caller's transaction, so a state, its position and its fence are one write (design section 4).
/// </summary>
public sealed class PartitionFence(string scope, int partition)
{
    public static SchemaStep Schema { get; } = new("storage", 1, """
        create table partition_epoch (scope text not null, partition_no bigint not null, epoch bigint not null,
            primary key (scope, partition_no));
        create table fold_position (scope text not null, topic text not null, partition_no bigint not null, next_offset bigint not null,
            primary key (scope, topic, partition_no));
        """);

    /// <summary>0 until taken over.</summary>
    public long Epoch { get; private set; }

    /// <summary>Raises the epoch; older owners' checks fail from this transaction on.</summary>
    public void TakeOver(DbConnection connection) =>
        Epoch = connection.ExecuteScalar<long>("""
            insert into partition_epoch (scope, partition_no, epoch) values (@scope, @partition, 1)
            on conflict (scope, partition_no) do update set epoch = partition_epoch.epoch + 1
            returning epoch
            """, new { scope, partition });

    /// <summary>Also locks the row against a take-over until the transaction ends.</summary>
    /// <exception cref="OwnershipLostException">There is a newer owner.</exception>
    public void Check(DbConnection connection)
    {
        var touched = connection.Execute(
            "update partition_epoch set epoch = epoch where scope = @scope and partition_no = @partition and epoch = @Epoch",
            new { scope, partition, Epoch });
        if (touched == 0) throw new OwnershipLostException($"Partition {partition} of '{scope}' has a newer owner than epoch {Epoch}.");
    }

    public IReadOnlyDictionary<TopicPartition, long> Positions(DbConnection connection) =>
        connection.Query<(string Topic, long Next)>(
                "select topic, next_offset from fold_position where scope = @scope and partition_no = @partition", new { scope, partition })
            .ToDictionary(row => new TopicPartition(row.Topic, partition), row => row.Next);

    /// <summary>How far the folds of any scope have got: a log that ends before was restored, or lost, without the store.</summary>
    public static IReadOnlyDictionary<TopicPartition, long> Furthest(DbConnection connection) =>
        connection.Query<(string Topic, long Partition, long Next)>(
                "select topic, partition_no, max(next_offset) from fold_position group by topic, partition_no")
            .ToDictionary(row => new TopicPartition(row.Topic, (int)row.Partition), row => row.Next);

    /// <summary>A number that changes with each commit of any fold.</summary>
    public static long Progress(DbConnection connection) =>
        connection.ExecuteScalar<long>("select cast(coalesce(sum(next_offset), 0) as bigint) from fold_position");

    /// <summary>Saves the next offset of each source that the batch has records of.</summary>
    public void SavePositions(DbConnection connection, IReadOnlyList<LogRecord> batch)
    {
        foreach (var source in batch.GroupBy(record => record.Source))
            connection.Execute("""
                insert into fold_position (scope, topic, partition_no, next_offset) values (@scope, @topic, @partition, @next)
                on conflict (scope, topic, partition_no) do update set next_offset = excluded.next_offset
                """, new { scope, topic = source.Key.Topic, partition, next = source.Max(record => record.Offset) + 1 });
    }
}
