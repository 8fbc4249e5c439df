using System.Text.Json;

namespace Belfry.Deliveries;

/// <summary>What an e-mail delivery carries. Text is user text: the channel makes it safe for headers.</summary>
public sealed record EmailContent
{
    /// <summary>One address, <c>name@host</c> or <c>Name &lt;name@host&gt;</c>.</summary>
    public required string To { get; init; }

    /// <summary>Line breaks and control characters become spaces; cut to 255 characters.</summary>
    public required string Subject { get; init; }

    public required string Text { get; init; }

    /// <summary>The same as HTML, or null for a plain message.</summary>
    public string? Html { get; init; }

    /// <summary>Further headers, such as <c>In-Reply-To</c>; none that the channel sets itself.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>The bytes for <see cref="Delivery.Content"/>: JSON, snake_case.</summary>
    public ReadOnlyMemory<byte> Encode() => JsonSerializer.SerializeToUtf8Bytes(this, ContentJson.Default.EmailContent);

    /// <exception cref="FormatException">The bytes are no such content. Not retryable.</exception>
    public static EmailContent Decode(ReadOnlyMemory<byte> bytes) => ContentJson.Read(bytes, ContentJson.Default.EmailContent);
}
