using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace Belfry.Deliveries;

/// <summary>How webhooks go out.</summary>
public sealed record WebhookOptions
{
    /// <summary>Within this the receiver must answer. Default 5 s (PagerDuty's).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Exceptions from the guard, each <c>host:port</c> or a CIDR network. Default none.</summary>
    public IReadOnlyList<string> AllowList { get; init; } = [];

    /// <summary>Most bytes of a reply that are read; they are never shown. Default 64 KiB.</summary>
    public int ReplyBytesMax { get; init; } = 64 * 1024;
}

/// <summary>
/// Signed HTTP POSTs. A 2xx in time is success; timeouts, 5xx, 408, 425, 429, connection and DNS faults are transient; other answers,
/// redirects among them, and certificates or protocols of TLS that do not fit are permanent. Every connection goes through an
/// <see cref="OutboundGuard"/>. Source: PagerDuty webhooks v3, as in design section 9; RFC 9110, section 15.5.9 (408); RFC 8470 (425).
/// </summary>
public sealed class WebhookChannel : IDeliveryChannel, IDisposable
{
    private readonly WebhookOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _client;

    /// <exception cref="FormatException">An entry of the allow-list cannot be read.</exception>
    public WebhookChannel(WebhookOptions options, TimeProvider time)
        : this(options, new OutboundGuard(options.AllowList), time)
    {
    }

    internal WebhookChannel(WebhookOptions options, OutboundGuard guard, TimeProvider time)
    {
        (_options, _time) = (options, time);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            MaxResponseHeadersLength = 16,
            MaxResponseDrainSize = 0,
            MaxConnectionsPerServer = 64,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            ConnectCallback = (context, cancel) => guard.ConnectAsync(context.DnsEndPoint, cancel),
        };
        _client = new HttpClient(handler) { Timeout = System.Threading.Timeout.InfiniteTimeSpan };
    }

    public string Name => "webhook";

    /// <summary>Receivers know a repeat by <c>X-Webhook-Id</c> and <c>Idempotency-Key</c>.</summary>
    public UnknownOutcomePolicy WhenUnknown => UnknownOutcomePolicy.ResendWithKey;

    /// <summary>Host and port; one word for all content that cannot be read, which never gets as far as a connection.</summary>
    public string EndpointOf(Delivery delivery)
    {
        try
        {
            var url = UrlOf(WebhookContent.Decode(delivery.Content));
            return $"{url.IdnHost}:{url.Port}";
        }
        catch (FormatException)
        {
            return "unreadable";
        }
    }

    public async ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
    {
        HttpRequestMessage request;
        try
        {
            request = RequestOf(delivery);
        }
        catch (FormatException refused)
        {
            return new SendOutcome.Permanent(refused.Message);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(_options.Timeout);
        using (request)
        {
            try
            {
                using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
                await ReadAwayAsync(response, limit.Token);
                return OutcomeOf(response);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested)
            {
                return new SendOutcome.Transient($"no complete answer within {_options.Timeout}");
            }
            catch (HttpRequestException fault)
            {
                return OutcomeOf(fault);
            }
            catch (IOException lost)
            {
                return new SendOutcome.Transient($"the connection was lost: {lost.Message}");
            }
        }
    }

    public void Dispose() => _client.Dispose();

    private static HttpRequestMessage RequestOf(Delivery delivery)
    {
        var content = WebhookContent.Decode(delivery.Content);
        var request = new HttpRequestMessage(HttpMethod.Post, UrlOf(content)) { Content = new ReadOnlyMemoryContent(content.Body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var signature = WebhookSignature.Of(content.Body, content.Secrets);
        if (signature.Length > 0) request.Headers.Add(WebhookSignature.Header, signature);
        request.Headers.Add("X-Webhook-Id", delivery.IdempotencyKey);
        request.Headers.Add("Idempotency-Key", delivery.IdempotencyKey);
        if (content.Subscription is { } subscription) request.Headers.Add("X-Webhook-Subscription", subscription);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Belfry", "1"));
        return request;
    }

    private static Uri UrlOf(WebhookContent content)
    {
        if (!Uri.TryCreate(content.Url, UriKind.Absolute, out var url)) throw new FormatException("The webhook's URL cannot be read.");
        if (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps)
        {
            throw new FormatException("The webhook's URL is neither http nor https.");
        }

        return url.UserInfo.Length == 0 ? url : throw new FormatException("The webhook's URL holds user info, which is not allowed.");
    }

    private async ValueTask ReadAwayAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        await using var reply = await response.Content.ReadAsStreamAsync(cancel);
        var buffer = new byte[8 * 1024];
        for (var read = 0; read < _options.ReplyBytesMax;)
        {
            var count = await reply.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, _options.ReplyBytesMax - read)), cancel);
            if (count == 0) return;
            read += count;
        }
    }

    private SendOutcome OutcomeOf(HttpResponseMessage response)
    {
        var code = (int)response.StatusCode;
        return code switch
        {
            >= 200 and < 300 => new SendOutcome.Sent(null),
            408 or 425 or 429 or >= 500 => new SendOutcome.Transient($"answered {code}", AskedWait(response)),
            >= 300 and < 400 => new SendOutcome.Permanent($"answered {code}; redirects are not followed"),
            _ => new SendOutcome.Permanent($"answered {code}"),
        };
    }

    /// <summary>Retry-After, in seconds or as a date (RFC 9110, section 10.2.3); null for none or a date gone by.</summary>
    private TimeSpan? AskedWait(HttpResponseMessage response)
    {
        var asked = response.Headers.RetryAfter;
        var wait = asked?.Delta ?? (asked?.Date - _time.GetUtcNow());
        return wait > TimeSpan.Zero ? wait : null;
    }

    private static SendOutcome OutcomeOf(HttpRequestException fault)
    {
        if (fault.GetBaseException() is OutboundDeniedException denied) return new SendOutcome.Permanent(denied.Message);

        // A connection that is lost during the handshake is a SecureConnectionError too; only this is the word of one of the two ends.
        return fault is { HttpRequestError: HttpRequestError.SecureConnectionError, InnerException: AuthenticationException }
            ? new SendOutcome.Permanent($"TLS failed: {fault.GetBaseException().Message}")
            : new SendOutcome.Transient($"{fault.HttpRequestError}: {fault.GetBaseException().Message}");
    }
}
