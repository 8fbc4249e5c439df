using System.Globalization;
using System.Security.Cryptography;

namespace Belfry.Alerting.Access;

/// <summary>
/// Passwords as stored: <c>pbkdf2-sha256$iterations$salt$hash</c>. One check takes about a quarter of a second of a core by design, so
/// callers bound how many run at a time. Source: OWASP Password Storage, 600,000 iterations for PBKDF2-HMAC-SHA256.
/// </summary>
public static class PasswordHash
{
    public const int Iterations = 600_000;
    private const string Algorithm = "pbkdf2-sha256";
    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    public static string Create(string password, SecretSource source)
    {
        var salt = new byte[SaltBytes];
        source(salt);
        var hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA256, HashBytes);
        return string.Create(
            CultureInfo.InvariantCulture, $"{Algorithm}${Iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}");
    }

    /// <summary>In constant time once the work is done. Without a stored hash it does the same work and is false.</summary>
    /// <exception cref="FormatException">The stored text is no password hash.</exception>
    public static bool Verify(string password, string? stored)
    {
        var parts = (stored ?? Nobody).Split('$');
        if (parts is not [Algorithm, var iterations, var salt, var hash])
            throw new FormatException($"A stored password must read '{Algorithm}$iterations$salt$hash'.");
        var expected = Convert.FromBase64String(hash);
        var rounds = int.Parse(iterations, CultureInfo.InvariantCulture);
        var actual = Rfc2898DeriveBytes.Pbkdf2(password, Convert.FromBase64String(salt), rounds, HashAlgorithmName.SHA256, expected.Length);
        return CryptographicOperations.FixedTimeEquals(actual, expected) && stored is not null;
    }

    private static string Nobody { get; } = string.Create(
        CultureInfo.InvariantCulture,
        $"{Algorithm}${Iterations}${Convert.ToBase64String(new byte[SaltBytes])}${Convert.ToBase64String(new byte[HashBytes])}");
}
