using System.Diagnostics;

namespace Belfry.Bench.Log;

/// <summary>
/// Who handled a record of each partition when, over one stretch of time: how long the partitions that stayed with one member were silent.
/// Any thread.
/// </summary>
internal sealed class PartitionGaps(int partitions)
{
    private readonly Lock _lock = new();
    private readonly long[] _lastAt = new long[partitions];
    private readonly TimeSpan[] _worst = new TimeSpan[partitions];
    private readonly string?[] _owners = new string?[partitions];
    private readonly bool[] _moved = new bool[partitions];

    /// <summary>Who handled the last record of each partition; null where there was none.</summary>
    public IReadOnlyList<string?> Owners
    {
        get
        {
            lock (_lock) return [.. _owners];
        }
    }

    public void Handled(int partition, string member)
    {
        var at = Stopwatch.GetTimestamp();
        lock (_lock)
        {
            var silent = Stopwatch.GetElapsedTime(_lastAt[partition], at);
            if (_lastAt[partition] > 0 && silent > _worst[partition]) _worst[partition] = silent;
            _moved[partition] |= _owners[partition] != member;
            (_lastAt[partition], _owners[partition]) = (at, member);
        }
    }

    public void Begin()
    {
        lock (_lock)
        {
            Array.Clear(_moved);
            Array.Clear(_worst);
        }
    }

    /// <summary>Ends the stretch and begins another.</summary>
    /// <param name="except">A member whose partitions do not count.</param>
    /// <returns>The longest silence of a partition that one member had all the while, in ms.</returns>
    /// <exception cref="InvalidOperationException">There was no such partition.</exception>
    public double NextMs(string? except = null)
    {
        lock (_lock)
        {
            var now = Stopwatch.GetTimestamp();
            TimeSpan? worst = null;
            for (var partition = 0; partition < partitions; partition++)
            {
                if (_moved[partition] || _owners[partition] == except) continue;
                // One that is silent still counts as well.
                var rest = Stopwatch.GetElapsedTime(_lastAt[partition], now);
                worst = new[] { worst ?? TimeSpan.Zero, _worst[partition], rest }.Max();
            }

            Begin();
            return worst?.TotalMilliseconds ?? throw new InvalidOperationException("No partition stayed where it was.");
        }
    }
}
