using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Belfry.Log;
using Belfry.Testing;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>Logs, records and members for the tests beside the seam's suite.</summary>
internal static class TestLog
{
    private static readonly TimeProvider Time = TimeProvider.System;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static KafkaLogOptions Options(string bootstrap, KafkaGroupProtocol protocol = KafkaGroupProtocol.Classic) => new()
    {
        BootstrapServers = bootstrap,
        GroupProtocol = protocol,
        ReplicationFactor = 0,
        MinInSyncReplicas = 0,
        SessionTimeout = TimeSpan.FromSeconds(10),
        HeartbeatInterval = TimeSpan.FromMilliseconds(200),
    };

    public static KafkaLog Open(KafkaLogOptions options, ProducerRegistry? registry = null) =>
        KafkaLog.Open(options, TimeProvider.System, NullLogger.Instance, registry ?? new ProducerRegistry());

    public static TopicDeclaration Topic(string name, int partitions, CleanUp cleanUp = CleanUp.Time) =>
        new(name, partitions, cleanUp, TimeSpan.FromHours(1));

    public static OutgoingRecord Record(string topic, string value, string key = "k") =>
        new() { Topic = topic, OrderingKey = key, Value = Encoding.UTF8.GetBytes(value) };

    public static string Text(LogRecord record) => Encoding.UTF8.GetString(record.Value.Span);

    /// <summary>Appends <paramref name="each"/> records to each of a topic's partitions.</summary>
    public static async Task FillAsync(IPartitionedLog log, string topic, int partitions, int each)
    {
        var keys = Enumerable.Range(0, 1_000).Select(n => $"key-{n}").GroupBy(key => Log.Partitioner.PartitionOf(key, partitions))
            .ToDictionary(keys => keys.Key, keys => keys.First());
        await log.AppendAsync(
            [.. from n in Enumerable.Range(0, each) from p in Enumerable.Range(0, partitions) select Record(topic, $"{p}:{n}", keys[p])],
            default);
    }

    /// <summary>Asks again while the brokers do not answer: the client learns of one that is back by and by.</summary>
    public static async Task EventuallyAsync(Func<Task> ask)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                await ask();
                return;
            }
            catch (LogUnavailableException) when (TimeProvider.System.GetElapsedTime(startedAt) < Patience)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), Time);
            }
        }
    }

    /// <summary>Polls the members in turn until the condition holds. Polls that fail for now are repeated.</summary>
    public static async Task UntilAsync(Func<bool> reached, params SpecMember[] members)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (!reached())
        {
            if (TimeProvider.System.GetElapsedTime(startedAt) > Patience)
                throw new TimeoutException("Not reached; " + string.Join("; ", members.Select(m => string.Join(", ", m.Owned))));
            foreach (var member in members)
            {
                try
                {
                    await member.PollAsync(TimeSpan.FromMilliseconds(20));
                }
                catch (LogUnavailableException)
                {
                    // As the runner does: again.
                }
            }

            await Task.Yield();
        }
    }

    /// <summary>The native client of the log's live producer, which the managed one keeps to itself.</summary>
    public static IntPtr NativeHandle(KafkaLog log) => ((SafeHandle)typeof(Handle)
        .GetProperty("LibrdkafkaHandle", BindingFlags.Instance | BindingFlags.NonPublic)!
        .GetValue(log.Producer.Current!.Producer.Handle)!).DangerousGetHandle();

    public static async Task DeleteTopicsAsync(KafkaLog log)
    {
        using var admin = new AdminClientBuilder(KafkaConfig.Admin(log.Options)).Build();
        if (log.Declared.Count > 0) await admin.DeleteTopicsAsync(log.Declared);
    }
}
