using Belfry.Log;

namespace Belfry.Server.Hosting;

/// <summary>What <c>/health/consumers</c> answers.</summary>
/// <param name="Consumers">In the order of the pipeline.</param>
/// <param name="Producers">Null in the embedded shape.</param>
internal sealed record ConsumerDetails(IReadOnlyList<ConsumerDetail> Consumers, ProducerCounts? Producers)
{
    public static ConsumerDetails Of(ServerShape shape) =>
        new([.. shape.Consumers.Healths.Select(ConsumerDetail.Of)], shape.Ports.Producers);
}

/// <summary>One group's consumer in this process. Classes: docs/telemetry.md.</summary>
internal sealed record ConsumerDetail(
    string Group, string Class, string? Reason, DateTimeOffset? Since, bool Live, bool Assigned, int Rebuilds,
    IReadOnlyList<PartitionDetail> Partitions)
{
    public static ConsumerDetail Of(ConsumerHealth health) => new(
        health.Group, NameOf(health.Class), health.Reason, health.Since, !health.FailsLiveness, health.IsAssigned, health.Rebuilds,
        [.. health.Partitions.Select(PartitionDetail.Of)]);

    internal static string NameOf(StallClass found) => found.ToString().ToLowerInvariant();
}

/// <summary>One owned partition; what is unknown is null.</summary>
internal sealed record PartitionDetail(
    string Topic, int Partition, string Class, string? Reason, DateTimeOffset? Since, long? Committed, long? LowWaterMark, long? Position,
    long? End, long? LagRecords, double? LagSeconds, double? RunningSeconds)
{
    public static PartitionDetail Of(PartitionHealth health) => new(
        health.Source.Topic, health.Source.Partition, ConsumerDetail.NameOf(health.Class), health.Reason, health.Since, health.Committed,
        health.LowWaterMark, health.Position, health.End, health.Lag, health.LagTime?.TotalSeconds, health.RunningFor?.TotalSeconds);
}
