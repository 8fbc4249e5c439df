using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Incidents;

/// <summary>The tables of the incidents module.</summary>
public static class IncidentsSchema
{
    public static IReadOnlyList<SchemaStep> Steps { get; } = [];
}
