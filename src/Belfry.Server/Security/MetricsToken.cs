using System.Security.Cryptography;
using System.Text;
using Belfry.Server.Hosting;

namespace Belfry.Server.Security;

/// <summary>
/// The token of the setting <c>MetricsToken</c>, for programs that only watch: it opens the routes of <see cref="Policies.Metrics"/> and
/// no other.
/// </summary>
internal static class MetricsToken
{
    /// <summary>The fewest characters a token has.</summary>
    public const int CharsMin = 32;

    /// <summary>True when the request shows it in the Authorization header.</summary>
    /// <param name="resource">The request's context; anything else shows nothing.</param>
    public static bool Opens(object? resource)
    {
        if (resource is not HttpContext context) return false;
        return context.RequestServices.GetRequiredService<ServerOptions>().MetricsToken is { } expected
            && AccessAuthentication.TokenIn(context.Request.Headers.Authorization.ToString()) is { } shown
            && CryptographicOperations.FixedTimeEquals(Digest(shown), Digest(expected));
    }

    // Of equal length, so that comparing tells nothing of the token's.
    private static byte[] Digest(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
