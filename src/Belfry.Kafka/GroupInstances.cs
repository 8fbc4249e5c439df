namespace Belfry.Kafka;

/// <summary>
/// The static identities of this process's members. A member built anew gets the one its predecessor gave back, or the broker would hold
/// the partitions for a member that never returns. Any thread.
/// </summary>
internal sealed class GroupInstances(string? name)
{
    private readonly Lock _lock = new();
    private readonly HashSet<(string Group, int Number)> _taken = [];

    /// <summary>The lowest free number of the group and its identity: the name, then the name with "-2", "-3".</summary>
    public (int Number, string? Id) Take(string group)
    {
        lock (_lock)
        {
            var number = 1;
            while (!_taken.Add((group, number))) number++;
            return (number, name is null ? null : number == 1 ? name : $"{name}-{number}");
        }
    }

    public void Return(string group, int number)
    {
        lock (_lock) _taken.Remove((group, number));
    }
}
