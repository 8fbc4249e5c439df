using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Timeline;

/// <summary>The timeline hop: <c>incident-log</c> into the read model.</summary>
public static class TimelineHop
{
    /// <summary>The consumer group to run the owners in.</summary>
    public static ConsumerGroup Group(Topics topics) => new(topics.Prefix + "timeline", [topics.IncidentLog.Name]);

    /// <summary>Makes the owners; <see cref="TimelineSchema.Steps"/> have run.</summary>
    /// <param name="store">The alerting store.</param>
    /// <param name="topics">The declared topics.</param>
    /// <param name="changed">Called after each commit that added entries, for live pages.</param>
    /// <param name="time">The clock of the owner's pauses.</param>
    /// <param name="logger">For faults.</param>
    /// <param name="isTransient">Which store faults are repeated without end; null: <see cref="StoreUnavailableException"/> only.</param>
    public static PartitionOwnerFactory Create(
        IOutboxStore store, Topics topics, Action changed, TimeProvider time, ILogger logger, Func<Exception, bool>? isTransient = null) =>
        throw new NotSupportedException($"{store}{topics}{changed}{time}{logger}{isTransient}");
}
