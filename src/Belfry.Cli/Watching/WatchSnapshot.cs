using Belfry.Kafka;
using Belfry.Log;

namespace Belfry.Cli.Watching;

/// <summary>What was seen at one moment.</summary>
/// <param name="At">By the watcher's clock.</param>
/// <param name="Groups">Those that read Belfry's topics, or should.</param>
/// <param name="Offsets">First and next offset of each partition of Belfry's topics.</param>
/// <param name="Producers">Null: they could not be counted.</param>
internal sealed record WatchSnapshot(
    DateTimeOffset At, IReadOnlyList<WatchedGroup> Groups, IReadOnlyDictionary<TopicPartition, (long Start, long End)> Offsets,
    ProducerCount? Producers);

/// <summary>A group and what it reads.</summary>
/// <param name="Name">With its prefix.</param>
/// <param name="Members">Alive by the brokers' reckoning.</param>
/// <param name="Next">The next offset of each partition it reads: what it committed, else the first there is.</param>
internal sealed record WatchedGroup(string Name, int Members, IReadOnlyDictionary<TopicPartition, long> Next);

/// <summary>What is wrong.</summary>
internal enum FindingKind
{
    /// <summary>A group has records to read, and nobody reads.</summary>
    GroupWithoutMembers,

    /// <summary>A partition's committed offset does not move, although there are records behind it.</summary>
    PartitionStuck,

    /// <summary>Far more producers than usual: a program makes new ones all the time.</summary>
    ProducerStorm,

    /// <summary>The brokers could not be asked.</summary>
    Unreachable,
}

/// <summary>One thing that is wrong, or was until now.</summary>
/// <param name="Kind">What.</param>
/// <param name="Subject">Where: a group, <c>group topic/partition</c>, or the brokers.</param>
/// <param name="Since">When it was first seen.</param>
/// <param name="Text">One sentence for the one who is paged.</param>
internal sealed record WatchFinding(FindingKind Kind, string Subject, DateTimeOffset Since, string Text);

/// <summary>When to speak up.</summary>
internal sealed record WatchLimits
{
    /// <summary>A committed offset may stand still for this long while there is more to read. Default 60 s.</summary>
    public TimeSpan StuckAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A group may be without members for this long, as it is while instances are restarted. Default 15 s.</summary>
    public TimeSpan AloneAfter { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Fewer producers are never a storm. Default 50.</summary>
    public int ProducersLeast { get; init; } = 50;

    /// <summary>A storm is more than this many times the usual number. Default 5.</summary>
    public int ProducersFactor { get; init; } = 5;
}
