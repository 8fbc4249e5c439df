using System.Collections.Concurrent;
using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Kafka.Tests;

/// <summary>
/// The log over a mock cluster, which does what that cannot be asked for through the client: it creates the declared topics, and removes
/// what is past its retention when told to.
/// </summary>
internal sealed class MockedLog(KafkaLog log, MockCluster cluster, TimeProvider time) : ForwardingLog(log)
{
    private const int Replicas = 3;
    private const int ReadMax = 10_000;
    private readonly ConcurrentDictionary<string, TopicDeclaration> _made = new(StringComparer.Ordinal);

    public IEnumerable<TopicDeclaration> Topics => _made.Values;

    public override ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel)
    {
        foreach (var topic in topics)
            if (_made.TryAdd(topic.Name, topic)) cluster.CreateTopic(topic.Name, topic.Partitions, Replicas);
        return base.DeclareAsync(topics, cancel);
    }

    /// <summary>Of topics that are cleaned by time only; read through the log that the test sees.</summary>
    public async Task RemoveAgedAsync(IPartitionedLog reader)
    {
        foreach (var topic in _made.Values.Where(topic => topic.CleanUp == CleanUp.Time))
        {
            for (var n = 0; n < topic.Partitions; n++)
            {
                var source = new TopicPartition(topic.Name, n);
                var (_, end) = await reader.OffsetsAsync(source, default);
                var records = await reader.ReadAsync(source, 0, ReadMax, default);
                var stays = records.FirstOrDefault(record => record.AppendedAt + topic.Retention > time.GetUtcNow());
                cluster.DeleteRecords(topic.Name, n, stays?.Offset ?? end);
            }
        }
    }
}
