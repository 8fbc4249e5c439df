using System.Text.Json.Serialization;

namespace Belfry.Scheduling;

/// <summary>The fields of both formats of the topic: Belfry's in snake_case, PagerDuty's in camelCase.</summary>
internal sealed class TaskWire
{
    public int? Version { get; init; }
    public string? Change { get; init; }
    public string? OrderingId { get; init; }
    public string? Kind { get; init; }
    public string? UniqueKey { get; init; }
    public string? DueAt { get; init; }
    public long? Generation { get; init; }
    public ReadOnlyMemory<byte>? Payload { get; init; }

    [JsonPropertyName("orderingId")]
    public string? PdOrderingId { get; init; }

    [JsonPropertyName("scheduledTime")]
    public string? PdScheduledTime { get; init; }

    [JsonPropertyName("uniquenessKey")]
    public string? PdUniquenessKey { get; init; }

    [JsonPropertyName("taskData")]
    public Dictionary<string, string>? PdTaskData { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TaskWire))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class TaskWireJson : JsonSerializerContext;
