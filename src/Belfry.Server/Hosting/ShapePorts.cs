using Belfry.Alerting;
using Belfry.Alerting.Events;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Scheduling;

namespace Belfry.Server.Hosting;

/// <summary>
/// The drivers of one shape (design section 1), opened: all that differs between shapes. Opened before the web host is built and closed
/// after it has stopped, so that nothing loses its store while it drains.
/// </summary>
internal abstract class ShapePorts : IAsyncDisposable
{
    public required IPartitionedLog Log { get; init; }

    /// <summary>The alerting store.</summary>
    public required IOutboxStore Store { get; init; }
    public required SqlDialect Dialect { get; init; }
    public required ITaskStore Tasks { get; init; }

    /// <summary>The generations of <c>scheduled-tasks</c>; empty where there is only the first.</summary>
    public IReadOnlyList<TaskTopic> TaskTopics { get; init; } = [];
    public required IDeliveryStore Deliveries { get; init; }
    public required IParkedRecordStore Parked { get; init; }
    public required IFastClaims Claims { get; init; }

    /// <summary>Where the trail of events is kept.</summary>
    public required IHintStore Hints { get; init; }

    /// <summary>Where events go while the log alone is away; null where log and store share their fate.</summary>
    public EventDetour? Detour { get; init; }

    /// <summary>What the drivers themselves need to have running.</summary>
    public required IReadOnlyList<Hop> Housekeeping { get; init; }

    /// <summary>See <see cref="PipelineOptions.Folds"/>; null where they read as all others do.</summary>
    public virtual ConsumerOptions? Folds => null;

    /// <summary>True: other processes use the same log and stores.</summary>
    public abstract bool AreShared { get; }

    /// <summary>Kafka's producers of this process; null where the log has none.</summary>
    public virtual ProducerCounts? Producers => null;

    /// <summary>What is to be asked whether the log can take an event; see <see cref="AcceptProbe"/>.</summary>
    public virtual Func<Task> LogQuestion(TopicDeclaration topic) => new PartitionsInTurn(Log, topic).AskAsync;

    /// <summary>For messages: which log this is.</summary>
    public required string LogName { get; init; }

    /// <summary>For messages: which stores these are.</summary>
    public required string StoreName { get; init; }

    /// <summary>
    /// Call once the topics are declared and the tables are there: a fold that has taken more than the log holds would pass over in
    /// silence whatever comes next. So it is after the log was lost, or one of the two was restored without the other.
    /// </summary>
    /// <exception cref="InvalidOperationException">Log and stores are not of one time.</exception>
    public async Task CheckPositionsAsync(Topics topics, CancellationToken cancel)
    {
        var declared = topics.All.Select(topic => topic.Name).ToHashSet(StringComparer.Ordinal);
        var furthest = await Store.ReadAsync(connection => ValueTask.FromResult(PartitionFence.Furthest(connection)), cancel);
        foreach (var (source, next) in furthest.Where(pair => declared.Contains(pair.Key.Topic)).OrderBy(pair => pair.Key))
        {
            var (_, end) = await Log.OffsetsAsync(source, cancel);
            if (end < next)
                throw new InvalidOperationException(
                    $"{LogName} ends at {end} in {source}, but {StoreName} has taken it up to {next}: they are not of one time. " +
                    "Restore both from the same backup, or start with both empty.");
        }
    }

    public abstract ValueTask DisposeAsync();
}

/// <summary>How many producers were made since the process started, and how many are not closed yet.</summary>
internal sealed record ProducerCounts(long Created, int Alive);
