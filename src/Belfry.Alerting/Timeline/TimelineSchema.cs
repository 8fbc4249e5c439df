using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Timeline;

/// <summary>The tables of the timeline module.</summary>
public static class TimelineSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } = [];
}
