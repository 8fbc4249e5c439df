using Belfry.Log;

namespace Belfry.Testing;

/// <summary>An offset is committed only when every record below it is done, and commits of a partition never go back.</summary>
public sealed class CommitNeverAhead : Guarantee
{
    private readonly SortedDictionary<TopicPartition, (SortedSet<long> Pending, long Committed)> _partitions = [];

    public void Appended(TopicPartition source, long offset) => Of(source).Pending.Add(offset);

    /// <summary>Handled, parked, or dead-lettered: durably.</summary>
    public void Done(TopicPartition source, long offset) => Of(source).Pending.Remove(offset);

    public void Committed(TopicPartition source, long next)
    {
        var (pending, committed) = Of(source);
        if (pending.Count > 0 && pending.Min < next) Violated($"{source} committed {next} while {pending.Min} was not done");
        if (next < committed) Violated($"{source} went back from {committed} to {next}");
        _partitions[source] = (pending, Math.Max(committed, next));
    }

    private (SortedSet<long> Pending, long Committed) Of(TopicPartition source)
    {
        if (!_partitions.TryGetValue(source, out var found)) _partitions.Add(source, found = ([], 0));
        return found;
    }
}
