using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Log;

namespace Belfry.Alerting.Timeline;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(LogEntry))]
internal sealed partial class TimelineJson : JsonSerializerContext
{
    /// <summary>The entry of a record, or null with the reason why it is none.</summary>
    public static LogEntry? Decode(LogRecord record, out string reason)
    {
        reason = "";
        try
        {
            var entry = JsonSerializer.Deserialize(record.Value.Span, Default.LogEntry);
            if (entry is { Version: 1 }) return entry;
            reason = entry is null ? "The record is JSON null." : $"The record has version {entry.Version}; this program reads version 1.";
        }
        catch (JsonException fault)
        {
            reason = $"The record is not readable: {fault.Message}";
        }

        return null;
    }
}
