using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Alerting.Access;

/// <summary>
/// A random text of 256 bits that opens something: a session, an API token, an invitation. Stores keep <see cref="Hash"/> and look up
/// by it, so neither a copy of the database nor the time of a comparison gives one away.
/// </summary>
public sealed class Secret
{
    /// <summary>No secret of ours is longer; a longer text is refused before it is hashed.</summary>
    public const int LengthMax = 128;
    private const int Bytes = 32;
    private const int ShownLength = 8;

    private Secret(string text) => Text = text;

    /// <summary>To be handed out once, and never written down by us. <see cref="ToString"/> does not give it.</summary>
    public string Text { get; }

    /// <summary>SHA-256 of the text, lower-case hexadecimal.</summary>
    public string Hash => HashOf(Text);

    /// <summary>The first characters, by which people tell tokens apart.</summary>
    public string Prefix => Text[..ShownLength];

    /// <param name="source">Fills with unguessable bytes.</param>
    /// <param name="kind">Put before it, for people and for scanners of leaked secrets: <c>bfy_</c>.</param>
    public static Secret Make(SecretSource source, string kind)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        source(bytes);
        return new Secret(kind + Base64Url.EncodeToString(bytes));
    }

    /// <summary>The hash of a text that somebody presents; null when it cannot be one of ours.</summary>
    public static string? HashOfPresented(string? text) => text is { Length: > 0 and <= LengthMax } ? HashOf(text) : null;

    public override string ToString() => $"secret {Prefix}…";

    private static string HashOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
