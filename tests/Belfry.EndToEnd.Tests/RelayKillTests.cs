using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka;
using Belfry.Kafka.Tests;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Postgres;
using Belfry.Testing;
using Belfry.Postgres.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Belfry.EndToEnd.Tests;

/// <summary>
/// One outbox lane in a real PostgreSQL, relayed by several to a real Kafka while connections, holders and processes die: each message
/// arrives, those of a key first arrive in their order, and what was published is gone from the table.
/// </summary>
public sealed class RelayKillTests
{
    private const int Keys = 6;
    private const int Partitions = 3;
    private readonly TimeProvider _time = TimeProvider.System;

    [SkippableFact]
    public async Task Two_relays_whose_connections_are_ended_and_of_which_one_freezes_lose_nothing_and_keep_the_order()
    {
        const int Each = 60;
        var options = await DatabaseAsync() with
        {
            LaneHoldIdleMax = TimeSpan.FromSeconds(1), LaneHoldIdleMin = TimeSpan.FromSeconds(1),
        };
        await PostgresSchema.MigrateAsync(options, default);
        var topic = $"t{Guid.NewGuid():N}-relayed";
        await using var log = await OpenLogAsync(topic);
        await using var one = PostgresDatabase.Open(options);
        await using var two = PostgresDatabase.Open(options);
        using var stop = new CancellationTokenSource();
        Task[] relays =
        [
            Relay(one, new FreezingLog(log, _time)).RunAsync(stop.Token),
            Relay(two, log).RunAsync(stop.Token),
        ];
        using var enough = new CancellationTokenSource();
        var killing = EndConnectionsAsync(options.ConnectionString, enough.Token);
        await Task.WhenAll(Enumerable.Range(0, Keys).Select(key => WriteAsync(key % 2 == 0 ? one : two, "lane", topic, key, Each)));
        await enough.CancelAsync();
        (await killing).ShouldBeGreaterThan(3, "connections were ended");
        await EmptyAsync(options);
        await stop.CancelAsync();
        await Task.WhenAll(relays);
        await VerifyAsync(log, topic, Each);
    }

    [SkippableFact]
    public async Task An_instance_killed_in_the_midst_of_a_lot_is_stood_in_for_by_the_other()
    {
        const int Each = 1_500;
        var kafka = await KafkaBroker.BootstrapAsync();
        var options = await DatabaseAsync() with { Schema = "belfry" };
        using var folder = new TempFolder();
        var prefix = $"t{Guid.NewGuid():N}.";
        var config = Path.Combine(folder.Sub("config"), "belfry.json");
        await File.WriteAllTextAsync(config, Settings(kafka, options.ConnectionString, prefix));
        string[] shared = ["--config", config, "--keys", folder.Sub("keys")];
        await using var first = await BelfryProgram.StartAsync(folder.Sub("first"), ChildProgram.FreePort(), shared);
        await using var second = await BelfryProgram.StartAsync(folder.Sub("second"), ChildProgram.FreePort(), shared);

        // Nobody reads this topic but people, and so whatever is in it does nothing.
        var topic = prefix + "failed-events";
        await using var log = await OpenLogAsync(topic);
        await using var database = PostgresDatabase.Open(options);
        var writing = Task.WhenAll(Enumerable.Range(0, Keys).Select(key => WriteAsync(database, "accepted-events", topic, key, Each)));
        await Eventually.TrueAsync("some are published", async () => await PublishedAsync(log, topic) > Keys * Each / 10);
        await first.Process.KillAsync();
        await writing;
        await EmptyAsync(options);
        await VerifyAsync(log, topic, Each);
        second.Process.HasExited.ShouldBeFalse();
    }

    private OutboxRelay Relay(PostgresDatabase database, IPartitionedLog log) =>
        new(new PostgresOutboxStore(database), log, "lane", _time, NullLogger.Instance) { LookAgain = TimeSpan.FromMilliseconds(20) };

    /// <summary>Numbered messages of one key in their order. What may not have been written is written again.</summary>
    private async Task WriteAsync(PostgresDatabase database, string lane, string topic, int key, int count)
    {
        var store = new PostgresOutboxStore(database);
        for (var n = 0; n < count;)
        {
            try
            {
                OutgoingRecord[] records = [.. Enumerable.Range(n, Math.Min(10, count - n)).Select(number => new OutgoingRecord
                {
                    Topic = topic,
                    OrderingKey = $"key-{key}",
                    Value = Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)),
                })];
                await store.WriteAsync(
                    async tx =>
                    {
                        await tx.AddAsync(lane, records);
                        return true;
                    }, default);
                n += records.Length;
            }
            catch (StoreUnavailableException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), _time);
            }
        }
    }

    /// <summary>Ends every other connection of the database again and again; returns how many it ended.</summary>
    private async Task<int> EndConnectionsAsync(string connectionString, CancellationToken enough)
    {
        var ended = 0;
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(CancellationToken.None);
        while (!enough.IsCancellationRequested || ended <= 3)
        {
            await using var end = new NpgsqlCommand(
                """
                select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                """, connection);
            ended += (int)(long)(await end.ExecuteScalarAsync(CancellationToken.None))!;
            await Task.Delay(TimeSpan.FromMilliseconds(150), _time, CancellationToken.None);
        }

        return ended;
    }

    private static async Task EmptyAsync(PostgresOptions options)
    {
        await using var connection = new NpgsqlConnection(options.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await Eventually.TrueAsync("the outbox is empty", async () =>
        {
            await using var count = new NpgsqlCommand($"select count(*) from {options.Schema}.outbox_message", connection);
            return (long)(await count.ExecuteScalarAsync())! == 0;
        });
    }

    private static async Task<long> PublishedAsync(KafkaLog log, string topic)
    {
        long all = 0;
        for (var n = 0; n < Partitions; n++) all += (await log.OffsetsAsync(new TopicPartition(topic, n), default)).End;
        return all;
    }

    private static async Task VerifyAsync(KafkaLog log, string topic, int each)
    {
        var arrived = new List<LogRecord>();
        for (var n = 0; n < Partitions; n++)
            arrived.AddRange(await log.ReadAsync(new TopicPartition(topic, n), 0, 100_000, default));
        for (var key = 0; key < Keys; key++)
            arrived.Where(record => record.Key == $"key-{key}").Select(record => Encoding.UTF8.GetString(record.Value.Span)).Distinct()
                .ShouldBe(Enumerable.Range(0, each).Select(n => n.ToString(CultureInfo.InvariantCulture)));
    }

    private static async Task<KafkaLog> OpenLogAsync(string topic)
    {
        var log = KafkaLog.Open(TestLog.Options(await KafkaBroker.BootstrapAsync()), TimeProvider.System, NullLogger.Instance);
        await log.DeclareAsync([TestLog.Topic(topic, Partitions)], default);
        return log;
    }

    /// <summary>A database of this test's own.</summary>
    private static async Task<PostgresOptions> DatabaseAsync() => new()
    {
        ConnectionString = await (await PostgresServer.GetAsync()).NewDatabaseAsync(),
        Schema = "relays",
        ConnectionsMax = 8,
    };

    private static string Settings(string kafka, string postgres, string prefix) => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            ["Kafka"] = new JsonObject { ["BootstrapServers"] = kafka, ["ReplicationFactor"] = 1, ["MinInSyncReplicas"] = 1 },
            ["Postgres"] = new JsonObject { ["ConnectionString"] = postgres },
            ["Topics"] = new JsonObject { ["Prefix"] = prefix, ["Partitions"] = Partitions },
        },
    }.ToJsonString();

    /// <summary>Every third append begins only after the lane must have been lost, as in a process that was frozen.</summary>
    private sealed class FreezingLog(KafkaLog log, TimeProvider time) : ForwardingLog(log)
    {
        private int _appends;

        public override async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
        {
            if (++_appends % 3 == 0) await Task.Delay(TimeSpan.FromSeconds(1.5), time, cancel);
            await base.AppendAsync(records, cancel);
        }
    }
}
