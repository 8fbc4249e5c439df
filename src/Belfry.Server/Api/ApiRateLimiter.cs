using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Server.Api;

/// <summary>
/// Counts requests per token in fixed minutes of the server's clock: 960 a minute, as PagerDuty. Only tokens that were accepted are
/// counted, so the table is bounded by their number; past 10,000 it is emptied. Safe for use by several threads.
/// </summary>
internal sealed class ApiRateLimiter(TimeProvider time)
{
    public const int PerMinute = 960;
    private const int TokensMax = 10_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _counts = [];
    private long _minute;

    /// <summary>How many more this minute takes (negative: refused), and the seconds until the next.</summary>
    public (int Remaining, int ResetSeconds) Take(string token)
    {
        var seconds = time.GetUtcNow().ToUnixTimeSeconds();
        var key = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)), 0, 16);
        lock (_gate)
        {
            if (seconds / 60 != _minute || _counts.Count >= TokensMax)
            {
                _minute = seconds / 60;
                _counts.Clear();
            }

            var used = _counts.GetValueOrDefault(key) + 1;
            _counts[key] = Math.Min(used, PerMinute + 1);
            return (PerMinute - used, (int)(60 - seconds % 60));
        }
    }
}

/// <summary>Puts the limiter before each endpoint of the API and sends its headers.</summary>
internal sealed class ApiRateLimitFilter(ApiRateLimiter limiter) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var (remaining, reset) = limiter.Take(http.Request.Headers.Authorization.ToString());
        var headers = http.Response.Headers;
        headers["ratelimit-limit"] = ApiRateLimiter.PerMinute.ToString(CultureInfo.InvariantCulture);
        headers["ratelimit-remaining"] = Math.Max(0, remaining).ToString(CultureInfo.InvariantCulture);
        headers["ratelimit-reset"] = reset.ToString(CultureInfo.InvariantCulture);
        if (remaining >= 0) return await next(context);
        headers.RetryAfter = reset.ToString(CultureInfo.InvariantCulture);
        return new JsonNodeResult(429, ApiErrors.ShapeOfStatus(429));
    }
}
