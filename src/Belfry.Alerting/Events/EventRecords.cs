using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Log;

namespace Belfry.Alerting.Events;

/// <summary>
/// Events as records of <c>incoming-events</c>: JSON in snake case, ordering key service id. Wire format: docs/topics.md.
/// </summary>
public static class EventRecords
{
    public static OutgoingRecord Encode(AlertEvent alertEvent, Topics topics) => new()
    {
        Topic = topics.IncomingEvents.Name,
        OrderingKey = alertEvent.ServiceId.ToString(),
        Value = JsonSerializer.SerializeToUtf8Bytes(alertEvent, EventsJson.Default.AlertEvent),
    };

    /// <summary>Reads a record's value.</summary>
    /// <exception cref="JsonException">It is no event.</exception>
    public static AlertEvent Decode(ReadOnlySpan<byte> value) =>
        JsonSerializer.Deserialize(value, EventsJson.Default.AlertEvent) ?? throw new JsonException("An event is a JSON object, not null.");
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AlertEvent))]
[JsonSerializable(typeof(EventMark))]
[JsonSerializable(typeof(RefusedEvent))]
internal sealed partial class EventsJson : JsonSerializerContext;
