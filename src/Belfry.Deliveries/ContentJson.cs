using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Belfry.Deliveries;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EmailContent))]
[JsonSerializable(typeof(WebhookContent))]
[JsonSerializable(typeof(AuditLine))]
internal sealed partial class ContentJson : JsonSerializerContext
{
    /// <exception cref="FormatException">The bytes are not this content.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> bytes, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, type) ?? throw new FormatException($"{typeof(T).Name} is null.");
        }
        catch (JsonException malformed)
        {
            throw new FormatException($"{typeof(T).Name} cannot be read: {malformed.Message}", malformed);
        }
    }
}
