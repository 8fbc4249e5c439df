using System.Text.Json;

namespace Belfry.Deliveries;

/// <summary>What a webhook delivery carries.</summary>
public sealed record WebhookContent
{
    /// <summary>Absolute, <c>http</c> or <c>https</c>, without user info.</summary>
    public required string Url { get; init; }

    /// <summary>Sent as it is, as <c>application/json</c>; signed.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>One signature each: two while a secret rotates; none: unsigned.</summary>
    public required IReadOnlyList<string> Secrets { get; init; }

    /// <summary>For <c>X-Webhook-Subscription</c>; null: left out.</summary>
    public string? Subscription { get; init; }

    /// <summary>The bytes for <see cref="Delivery.Content"/>: JSON, snake_case.</summary>
    public ReadOnlyMemory<byte> Encode() => JsonSerializer.SerializeToUtf8Bytes(this, ContentJson.Default.WebhookContent);

    /// <exception cref="FormatException">The bytes are no such content. Not retryable.</exception>
    public static WebhookContent Decode(ReadOnlyMemory<byte> bytes) => ContentJson.Read(bytes, ContentJson.Default.WebhookContent);
}
