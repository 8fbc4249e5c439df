using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Alerting.OnCall;

namespace Belfry.Alerting.Catalog;

/// <summary>The documents of the catalog's tables and of its audit rows.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Service))]
[JsonSerializable(typeof(Integration))]
[JsonSerializable(typeof(EscalationPolicy))]
[JsonSerializable(typeof(OnCallSchedule))]
[JsonSerializable(typeof(ScheduleOverride))]
internal sealed partial class CatalogJson : JsonSerializerContext;
