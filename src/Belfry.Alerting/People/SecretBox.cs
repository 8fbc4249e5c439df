using System.Security.Cryptography;
using System.Text;

namespace Belfry.Alerting.People;

/// <summary>
/// Seals secrets that must be used again and so cannot be hashed, before they go to the store: who has the database alone, or a backup
/// of it, has none of them. AES-256-GCM with a nonce of its own for each; a sealed secret names its key and opens for its owner only.
/// Safe for use by several threads. Reliability reference, section 9, "Data at rest".
/// </summary>
public sealed class SecretBox
{
    public const int KeyBytes = 32;
    private const string Form = "1";
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);
    private readonly string _newest;

    /// <param name="key">Seals and opens; <see cref="KeyBytes"/> bytes.</param>
    /// <param name="former">Open only: what was sealed before the key was changed.</param>
    /// <exception cref="ArgumentException">A key has another length.</exception>
    public SecretBox(ReadOnlyMemory<byte> key, params IReadOnlyList<ReadOnlyMemory<byte>> former)
    {
        foreach (var one in former) Add(one.Span);
        _newest = Add(key.Span);
    }

    /// <summary>ASCII, about twice as long as the text, and another at each call.</summary>
    /// <param name="text">The secret.</param>
    /// <param name="owner">Whose it is: the id of its row. Moved to another row it does not open.</param>
    /// <param name="random">For the nonce.</param>
    public string Seal(string text, string owner, SecretSource random)
    {
        var plain = Encoding.UTF8.GetBytes(text);
        var sealedBytes = new byte[NonceBytes + TagBytes + plain.Length];
        var nonce = sealedBytes.AsSpan(0, NonceBytes);
        random(nonce);
        using var aes = new AesGcm(_keys[_newest], TagBytes);
        aes.Encrypt(
            nonce, plain, sealedBytes.AsSpan(NonceBytes + TagBytes), sealedBytes.AsSpan(NonceBytes, TagBytes),
            Encoding.UTF8.GetBytes(owner));
        return $"{Form}.{_newest}.{Convert.ToHexString(sealedBytes)}";
    }

    /// <summary>False: <see cref="Open"/> would throw for want of its key.</summary>
    public bool HasKeyOf(string sealedText) => sealedText.Split('.') is [Form, var key, _] && _keys.ContainsKey(key);

    /// <summary>The text again.</summary>
    /// <exception cref="CryptographicException">
    /// Sealed with a key that is not here, for another owner, or changed since. Not worth a retry.
    /// </exception>
    public string Open(string sealedText, string owner)
    {
        if (sealedText.Split('.') is not [Form, var keyId, var hex])
            throw new CryptographicException($"The secret of '{owner}' is not sealed in form {Form}.");
        if (!_keys.TryGetValue(keyId, out var key))
            throw new CryptographicException(
                $"The secret of '{owner}' is sealed with key {keyId}, which is not here; here are {string.Join(", ", _keys.Keys)}.");
        var sealedBytes = Convert.FromHexString(hex);
        if (sealedBytes.Length < NonceBytes + TagBytes) throw new CryptographicException($"The secret of '{owner}' is cut off.");
        var plain = new byte[sealedBytes.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(key, TagBytes);
        aes.Decrypt(
            sealedBytes.AsSpan(0, NonceBytes), sealedBytes.AsSpan(NonceBytes + TagBytes), sealedBytes.AsSpan(NonceBytes, TagBytes), plain,
            Encoding.UTF8.GetBytes(owner));
        return Encoding.UTF8.GetString(plain);
    }

    private string Add(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeyBytes) throw new ArgumentException($"A key that seals secrets has {KeyBytes} bytes, this one {key.Length}.");
        var id = Convert.ToHexStringLower(SHA256.HashData(key)[..4]);
        _keys[id] = key.ToArray();
        return id;
    }
}
