using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Belfry.Alerting.Events;

namespace Belfry.Alerting.Tests.Events;

/// <summary>What the metric of one inlet counts.</summary>
internal sealed class RouteCounts : IDisposable
{
    private readonly ConcurrentDictionary<string, long> _counts = new(StringComparer.Ordinal);
    private readonly MeterListener _listener = new();

    public RouteCounts(EventInlet inlet)
    {
        _listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
            _counts.AddOrUpdate((string)tags[0].Value!, count, (_, before) => before + count));
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument == inlet.Accepted) listener.EnableMeasurementEvents(instrument);
        };
        _listener.Start();
    }

    /// <summary>So many by each of these routes, and none by others.</summary>
    public void ShouldBe(params (string Route, long Count)[] counts) =>
        _counts.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value)).ToList()
            .ShouldBe([.. counts.OrderBy(pair => pair.Route, StringComparer.Ordinal)]);

    public void Dispose() => _listener.Dispose();
}
