using System.Diagnostics.Metrics;

namespace Belfry.Log;

/// <summary>The meter <c>Belfry.Log</c>: how far groups are behind and what is stuck. docs/telemetry.md lists it.</summary>
internal sealed class ConsumerMeter : IDisposable
{
    private readonly Meter _meter = new("Belfry.Log");
    private readonly Counter<long> _stalls;

    /// <param name="healths">Asked whenever somebody reads the metrics.</param>
    public ConsumerMeter(Func<IReadOnlyList<ConsumerHealth>> healths)
    {
        _meter.CreateObservableGauge("belfry.log.lag", () => Each(healths(), p => p.Lag), "{record}",
            "Offsets between what is committed and the end. No alarm by itself: alarm on lag_time and on stalls.");
        _meter.CreateObservableGauge("belfry.log.lag_time", () => Each(healths(), p => p.LagTime?.TotalSeconds), "s",
            "Age of the first record that is not committed.");
        _meter.CreateObservableGauge("belfry.log.running_time", () => Each(healths(), p => p.RunningFor?.TotalSeconds), "s",
            "Age of the oldest handler or turn that runs.");
        _meter.CreateObservableGauge("belfry.log.unhealthy", () => healths().Select(h => new Measurement<int>(
            h.IsUnhealthy ? 1 : 0, new("group", h.Group), new KeyValuePair<string, object?>("class", Name(h.Class)))), null,
            "1 while the group's consumer is stuck, by class. Alarm when it stays 1 for a minute.");
        _meter.CreateObservableCounter("belfry.log.rebuilds", () => healths().Select(h => new Measurement<long>(
            h.Rebuilds, new KeyValuePair<string, object?>("group", h.Group))), null,
            "Times a consumer was built anew. Alarm on more than a few an hour.");
        _stalls = _meter.CreateCounter<long>("belfry.log.stalls", null, "Partitions and consumers found stuck, by class.");
    }

    public void Stalled(string group, StallClass found) =>
        _stalls.Add(1, new("group", group), new KeyValuePair<string, object?>("class", Name(found)));

    public void Dispose() => _meter.Dispose();

    private static string Name(StallClass found) => found.ToString().ToLowerInvariant();

    private static IEnumerable<Measurement<T>> Each<T>(IReadOnlyList<ConsumerHealth> healths, Func<PartitionHealth, T?> value)
        where T : struct
    {
        foreach (var health in healths)
            foreach (var partition in health.Partitions)
                if (value(partition) is { } measured)
                    yield return new Measurement<T>(
                        measured, new("group", health.Group), new("topic", partition.Source.Topic),
                        new KeyValuePair<string, object?>("partition", partition.Source.Partition));
    }
}
