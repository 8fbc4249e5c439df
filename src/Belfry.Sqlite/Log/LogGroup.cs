using Belfry.Log;

namespace Belfry.Sqlite;

/// <summary>
/// The members of one consumer group within the process. A change of members sets new targets; a unit that must move is let go of by
/// its owner inside that one's poll, and only then taken by the next. Others keep reading meanwhile.
/// </summary>
internal sealed class LogGroup(ConsumerGroup group, LogPartition[][] units)
{
    private readonly Lock _lock = new();
    private readonly List<SqliteLogConsumer> _members = [];
    private readonly SqliteLogConsumer?[] _owners = new SqliteLogConsumer?[units.Length];
    private readonly SqliteLogConsumer?[] _targets = new SqliteLogConsumer?[units.Length];

    public string Name => group.Name;

    /// <exception cref="ArgumentException">Members of a group must read the same topics.</exception>
    public void CheckSame(ConsumerGroup other)
    {
        if (other.CoPartitioned != group.CoPartitioned || !other.Topics.Order().SequenceEqual(group.Topics.Order()))
            throw new ArgumentException(
                $"Group '{group.Name}' reads [{string.Join(", ", group.Topics)}] (co-partitioned: {group.CoPartitioned}), " +
                "and a member asks for " +
                $"[{string.Join(", ", other.Topics)}] ({other.CoPartitioned}); give it another group name.");
    }

    public void Join(SqliteLogConsumer member)
    {
        lock (_lock)
        {
            _members.Add(member);
            Retarget_NeedsLock();
        }
    }

    public void Leave(SqliteLogConsumer member)
    {
        lock (_lock)
        {
            if (!_members.Remove(member)) return;
            for (var unit = 0; unit < units.Length; unit++)
                if (_owners[unit] == member) _owners[unit] = null;
            Retarget_NeedsLock();
        }
    }

    /// <summary>What the member owns and must let go of.</summary>
    public List<LogPartition> Leaving(SqliteLogConsumer member) => Collect(unit => _owners[unit] == member && _targets[unit] != member);

    /// <summary>The member has let go of all that <see cref="Leaving"/> said.</summary>
    public void Release(SqliteLogConsumer member, IReadOnlyCollection<LogPartition> released)
    {
        lock (_lock)
        {
            for (var unit = 0; unit < units.Length; unit++)
                if (_owners[unit] == member && released.Contains(units[unit][0])) _owners[unit] = null;
            foreach (var other in _members) other.Wake();
        }
    }

    /// <summary>Takes what is free and meant for the member; from here on it owns that.</summary>
    public List<LogPartition> Take(SqliteLogConsumer member) => Collect(unit =>
    {
        if (_owners[unit] is not null || _targets[unit] != member) return false;
        _owners[unit] = member;
        return true;
    });

    private List<LogPartition> Collect(Func<int, bool> chosen)
    {
        lock (_lock)
        {
            var partitions = new List<LogPartition>();
            for (var unit = 0; unit < units.Length; unit++)
                if (chosen(unit)) partitions.AddRange(units[unit]);
            partitions.Sort(static (left, right) => left.Source.CompareTo(right.Source));
            return partitions;
        }
    }

    private void Retarget_NeedsLock()
    {
        var current = new int[units.Length];
        for (var unit = 0; unit < units.Length; unit++)
            current[unit] = (_owners[unit] ?? _targets[unit]) is { } member ? _members.IndexOf(member) : -1;
        var targets = PartitionShares.Share(current, _members.Count);
        for (var unit = 0; unit < units.Length; unit++) _targets[unit] = targets[unit] < 0 ? null : _members[targets[unit]];
        foreach (var member in _members) member.Wake();
    }
}
