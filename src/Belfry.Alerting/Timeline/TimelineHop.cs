using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;

namespace Belfry.Alerting.Timeline;

/// <summary>The timeline hop: <c>incident-log</c> into the read model.</summary>
public static class TimelineHop
{
    // Nobody is paged by it: a reader waits a little longer while much happens.
    private static readonly TimeSpan TurnInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>The consumer group to run the owners in.</summary>
    public static ConsumerGroup Group(Topics topics) => new(topics.Prefix + "timeline", [topics.IncidentLog.Name]);

    /// <summary>Makes the owners.</summary>
    /// <param name="store">The alerting store; <see cref="TimelineSchema.Steps"/> have run.</param>
    /// <param name="changed">Called after each commit, for live pages; must not block.</param>
    /// <param name="time">The clock of the owner's pauses.</param>
    /// <param name="logger">For faults.</param>
    /// <param name="isTransient">Which store faults are repeated without end; null: <see cref="StoreUnavailableException"/> only.</param>
    public static PartitionOwnerFactory Create(
        IOutboxStore store, Action changed, TimeProvider time, ILogger logger, Func<Exception, bool>? isTransient = null)
    {
        var options = new BatchOwnerOptions
        {
            IsTransient = isTransient ?? (fault => fault is StoreUnavailableException), TurnInterval = TurnInterval,
        };
        return (partition, sources) => new BatchOwner(sources, new TimelineFold(partition, store, changed), options, time, logger);
    }
}
