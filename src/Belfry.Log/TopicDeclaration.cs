namespace Belfry.Log;

/// <summary>How a topic forgets: by age, or by keeping the newest record of each key.</summary>
public enum CleanUp
{
    /// <summary>Records older than <see cref="TopicDeclaration.Retention"/> may be removed.</summary>
    Time,

    /// <summary>Only the newest record of each key must stay; one with an empty value (a tombstone) may go after the retention.</summary>
    Compact,
}

/// <summary>
/// A topic as Belfry needs it. Declared once; a topic whose real partition count differs stops the start
/// (<see cref="TopicMismatchException"/>), for a changed count would map keys to other partitions.
/// </summary>
/// <param name="Name">The full name, prefix included: 1 to 249 of <c>[a-zA-Z0-9._-]</c>, Kafka's rule.</param>
/// <param name="Partitions">1 or more, for life.</param>
/// <param name="CleanUp">How old records leave.</param>
/// <param name="Retention">The least time a record is kept (for <see cref="CleanUp.Compact"/>: a tombstone).</param>
public sealed record TopicDeclaration(string Name, int Partitions, CleanUp CleanUp, TimeSpan Retention);

/// <summary>One partition of one topic.</summary>
public readonly record struct TopicPartition(string Topic, int Partition) : IComparable<TopicPartition>
{
    public int CompareTo(TopicPartition other)
    {
        var byTopic = string.CompareOrdinal(Topic, other.Topic);
        return byTopic != 0 ? byTopic : Partition.CompareTo(other.Partition);
    }

    public static bool operator <(TopicPartition left, TopicPartition right) => left.CompareTo(right) < 0;
    public static bool operator >(TopicPartition left, TopicPartition right) => left.CompareTo(right) > 0;
    public static bool operator <=(TopicPartition left, TopicPartition right) => left.CompareTo(right) <= 0;
    public static bool operator >=(TopicPartition left, TopicPartition right) => left.CompareTo(right) >= 0;

    public override string ToString() => $"{Topic}/{Partition}";
}

/// <summary>A topic exists with another partition count than declared. Not retryable: the operator must decide.</summary>
public sealed class TopicMismatchException(string topic, int declared, int found) : Exception(
    $"Topic '{topic}' has {found} partitions but {declared} are declared; a changed count would map keys to other partitions. " +
    "Restore the declared count, or move to a new topic.");
