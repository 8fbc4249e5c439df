namespace Belfry.Sqlite;

/// <summary>Who gets which share of a group: even, and moving as little as it can.</summary>
internal static class PartitionShares
{
    /// <summary>
    /// Shares out <paramref name="current"/>.Count units among <paramref name="members"/> members; counts differ by one at most.
    /// </summary>
    /// <param name="current">For each unit the member (from 0) that has it, or -1.</param>
    /// <param name="members">How many there are; none: every unit gets -1.</param>
    public static int[] Share(IReadOnlyList<int> current, int members)
    {
        var target = new int[current.Count];
        Array.Fill(target, -1);
        if (members == 0) return target;
        var quota = Quotas(current, members);
        for (var unit = 0; unit < target.Length; unit++)
            if (current[unit] >= 0 && quota[current[unit]] > 0)
            {
                target[unit] = current[unit];
                quota[current[unit]]--;
            }

        var member = 0;
        for (var unit = 0; unit < target.Length; unit++)
        {
            if (target[unit] >= 0) continue;
            while (quota[member] == 0) member++;
            target[unit] = member;
            quota[member]--;
        }

        return target;
    }

    /// <summary>Members that have the most get the odd ones, so that these stay where they are.</summary>
    private static int[] Quotas(IReadOnlyList<int> current, int members)
    {
        var quota = new int[members];
        Array.Fill(quota, current.Count / members);
        foreach (var member in Enumerable.Range(0, members)
                     .OrderByDescending(m => current.Count(owner => owner == m)).ThenBy(m => m).Take(current.Count % members))
            quota[member]++;
        return quota;
    }
}
