using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Alerting.Events;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Timeline;

namespace Belfry.Alerting.Incidents;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Incident))]
[JsonSerializable(typeof(AlertEvent))]
[JsonSerializable(typeof(IncidentCommand))]
[JsonSerializable(typeof(IncidentTimerPayload))]
[JsonSerializable(typeof(EntryDetails))]
[JsonSerializable(typeof(LogEntry))]
[JsonSerializable(typeof(Assignment))]
[JsonSerializable(typeof(EventId))]
internal sealed partial class IncidentJson : JsonSerializerContext;
