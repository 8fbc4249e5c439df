using System.Security.Cryptography;
using System.Text;

namespace Belfry.Deliveries;

/// <summary>
/// The signature header of PagerDuty's webhooks v3: <c>v1=</c> and the hexadecimal HMAC-SHA256 of the raw body, per secret.
/// </summary>
public static class WebhookSignature
{
    public const string Header = "X-PagerDuty-Signature";

    /// <summary>Comma-separated, in the order of the secrets; empty for none.</summary>
    public static string Of(ReadOnlyMemory<byte> body, IReadOnlyList<string> secrets) => string.Join(
        ',', secrets.Select(secret => $"v1={Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body.Span))}"));
}
