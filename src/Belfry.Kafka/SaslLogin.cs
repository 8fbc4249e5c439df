using System.Globalization;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Kafka;

/// <summary>One side of a sign-in, message by message.</summary>
internal interface ISaslLogin
{
    /// <summary>What to say to the broker's last words (null at first); null when it is over.</summary>
    /// <exception cref="AuthenticationException">The broker is not who it should be.</exception>
    byte[]? Next(byte[]? said);
}

/// <summary>RFC 4616.</summary>
internal sealed class PlainLogin(string user, string password) : ISaslLogin
{
    public byte[]? Next(byte[]? said) => said is null ? Encoding.UTF8.GetBytes($"\0{user}\0{password}") : null;
}

/// <summary>RFC 5802 without channel binding. The password is taken as it is written (no SASLprep), as Kafka's own client does.</summary>
internal sealed class ScramLogin(string user, string password, string nonce, HashAlgorithmName hash) : ISaslLogin
{
    private const int RoundsMax = 1_000_000;
    private string _first = "";
    private byte[] _signature = [];
    private int _step;

    public static ScramLogin Sha256(string user, string password) => new(user, password, NewNonce(), HashAlgorithmName.SHA256);

    public static ScramLogin Sha512(string user, string password) => new(user, password, NewNonce(), HashAlgorithmName.SHA512);

    public byte[]? Next(byte[]? said) => _step++ switch
    {
        0 => Encoding.UTF8.GetBytes("n,," + (_first =
            $"n={user.Replace("=", "=3D", StringComparison.Ordinal).Replace(",", "=2C", StringComparison.Ordinal)},r={nonce}")),
        1 => Prove(Encoding.UTF8.GetString(said!)),
        _ => Check(Encoding.UTF8.GetString(said!)),
    };

    private byte[] Prove(string server)
    {
        var (both, salt, rounds) = (Field(server, 'r'), Convert.FromBase64String(Field(server, 's')), Field(server, 'i'));
        if (!both.StartsWith(nonce, StringComparison.Ordinal)
            || !int.TryParse(rounds, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is < 1 or > RoundsMax)
            throw new AuthenticationException("its SCRAM message is not sound");
        var size = CryptographicOperations.HashData(hash, []).Length;
        var salted = Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, count, hash, size);
        var last = $"c=biws,r={both}";
        var signed = Encoding.UTF8.GetBytes($"{_first},{server},{last}");
        var clientKey = Mac(salted, "Client Key"u8);
        var proof = Mac(CryptographicOperations.HashData(hash, clientKey), signed);
        for (var at = 0; at < proof.Length; at++) proof[at] ^= clientKey[at];
        _signature = Mac(Mac(salted, "Server Key"u8), signed);
        return Encoding.UTF8.GetBytes($"{last},p={Convert.ToBase64String(proof)}");
    }

    private byte[]? Check(string server) =>
        server.StartsWith("v=", StringComparison.Ordinal)
        && CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(Field(server, 'v')), _signature)
            ? null
            : throw new AuthenticationException("it did not prove that it knows the password");

    private byte[] Mac(byte[] key, ReadOnlySpan<byte> text) => CryptographicOperations.HmacData(hash, key, text);

    private static string Field(string message, char name) =>
        message.Split(',').FirstOrDefault(part => part.Length > 2 && part[0] == name && part[1] == '=')?[2..]
            ?? throw new AuthenticationException($"its SCRAM message has no '{name}'");

    private static string NewNonce() => Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
}
