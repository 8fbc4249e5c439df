using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Belfry.Deliveries;

/// <summary>One line of the audit file.</summary>
public sealed record AuditLine
{
    /// <summary>From 1, without gaps.</summary>
    public required long Sequence { get; init; }

    /// <summary>When it was written, UTC.</summary>
    public required DateTimeOffset At { get; init; }

    public required string Key { get; init; }
    public required string Recipient { get; init; }

    /// <summary>The delivery's content; base64 in the file.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>The hash of the line before; 64 zeros for the first.</summary>
    public required string Previous { get; init; }

    /// <summary>SHA-256, in hexadecimal, of this line's JSON with an empty hash.</summary>
    public required string Hash { get; init; }

    internal static string Origin { get; } = new('0', 64);

    internal AuditLine Sealed() => this with { Hash = HashOf(this) };

    internal string ToLine() => JsonSerializer.Serialize(this, ContentJson.Default.AuditLine);

    /// <summary>Null: a sound successor. Otherwise what is wrong.</summary>
    internal string? FaultAfter(long sequence, string hash)
    {
        if (Sequence != sequence + 1) return $"sequence {Sequence} follows {sequence}";
        if (Previous != hash) return "it does not follow from the line before";
        return Hash == HashOf(this) ? null : "its hash does not fit its content";
    }

    private static string HashOf(AuditLine entry) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes((entry with { Hash = "" }).ToLine())));
}
