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

    /// <summary>Ends the stretch and begins another.</summary>
    /// <returns>The longest silence of a partition that one member had all the while, and how many such there were.</returns>
    public (double WorstMs, int Stayed) Next()
    {
        lock (_lock)
        {
            var now = Stopwatch.GetTimestamp();
            var (worst, stayed) = (TimeSpan.Zero, 0);
            for (var partition = 0; partition < partitions; partition++)
            {
                // One that is silent still counts as well.
                if (!_moved[partition])
                {
                    stayed++;
                    worst = new[] { worst, _worst[partition], Stopwatch.GetElapsedTime(_lastAt[partition], now) }.Max();
                }

                _moved[partition] = false;
                _worst[partition] = TimeSpan.Zero;
            }

            return (worst.TotalMilliseconds, stayed);
        }
    }
}
