using Belfry.Log;

namespace Belfry.Server.Hosting;

/// <summary>Asks a topic's partitions where they end, one a question: each may be led by another broker. Any thread.</summary>
internal sealed class PartitionsInTurn(IPartitionedLog log, TopicDeclaration topic)
{
    private int _asked = -1;

    /// <exception cref="LogUnavailableException">It does not say. Retryable.</exception>
    public async Task AskAsync()
    {
        var partition = (uint)Interlocked.Increment(ref _asked) % (uint)topic.Partitions;
        await log.OffsetsAsync(new TopicPartition(topic.Name, (int)partition), CancellationToken.None);
    }
}
