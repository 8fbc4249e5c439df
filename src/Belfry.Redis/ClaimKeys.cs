using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Redis;

/// <summary>
/// How keys and owners of any text and length are written in Redis: short ASCII as it is, anything else as its hash, so that no two
/// texts become one and none takes more than <see cref="PlainCharsMax"/> bytes.
/// </summary>
internal static class ClaimKeys
{
    public const int PlainCharsMax = 256;

    /// <summary>The value of a completed key.</summary>
    public const string Completed = "C";

    public static string KeyOf(string prefix, string key) => $"{prefix}claim:{Bounded(key)}";

    public static string HintOf(string prefix, string key) => $"{prefix}hint:{Bounded(key)}";

    /// <summary>The value of a key that its owner works on.</summary>
    public static string Processing(string owner) => $"P:{Bounded(owner)}";

    // No plain text begins with the mark of a hash.
    private static string Bounded(string text) =>
        text.Length <= PlainCharsMax && Ascii.IsValid(text) && !text.StartsWith('#') ? text : $"#{Hash(text)}";

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(text.AsSpan())));
}
