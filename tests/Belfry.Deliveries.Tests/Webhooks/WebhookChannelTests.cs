using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Belfry.Deliveries.Tests.Support;
using Belfry.Testing;

namespace Belfry.Deliveries.Tests.Webhooks;

public sealed class WebhookChannelTests : IAsyncLifetime
{
    private readonly HttpSink _sink = new();
    private readonly ManualTime _time = new();
    private WebhookChannel _channel = null!;

    public Task InitializeAsync()
    {
        _channel = Channel(new WebhookOptions { AllowList = [_sink.Allowed], Timeout = TimeSpan.FromSeconds(30) });
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        await _sink.DisposeAsync();
    }

    [Fact]
    public async Task A_request_is_signed_with_every_secret_and_names_its_key()
    {
        (await SendAsync(secrets: ["old", "new"])).ShouldBe(new SendOutcome.Sent(null));
        var hit = _sink.Hits.ShouldHaveSingleItem();
        hit.Line.ShouldBe("POST /hook?x=1 HTTP/1.1");
        hit.Body.ShouldBe("{\"event\":1}");
        hit.Headers["X-PagerDuty-Signature"].ShouldBe($"v1={Hmac("old", hit.Body)},v1={Hmac("new", hit.Body)}");
        hit.Headers["X-Webhook-Id"].ShouldBe("key-1");
        hit.Headers["Idempotency-Key"].ShouldBe("key-1");
        hit.Headers["X-Webhook-Subscription"].ShouldBe("sub-1");
        hit.Headers["Content-Type"].ShouldBe("application/json");
    }

    [Fact]
    public void The_signature_is_the_one_of_RFC_4231() =>
        WebhookSignature.Of(Encoding.ASCII.GetBytes("what do ya want for nothing?"), ["Jefe"])
            .ShouldBe("v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    [Theory]
    [InlineData("200 OK", typeof(SendOutcome.Sent))]
    [InlineData("202 Accepted", typeof(SendOutcome.Sent))]
    [InlineData("500 Oops", typeof(SendOutcome.Transient))]
    [InlineData("503 Away", typeof(SendOutcome.Transient))]
    [InlineData("408 Late", typeof(SendOutcome.Transient))]
    [InlineData("425 Early", typeof(SendOutcome.Transient))]
    [InlineData("429 Slow", typeof(SendOutcome.Transient))]
    [InlineData("400 Bad", typeof(SendOutcome.Permanent))]
    [InlineData("401 Who", typeof(SendOutcome.Permanent))]
    [InlineData("404 Gone", typeof(SendOutcome.Permanent))]
    [InlineData("410 Gone", typeof(SendOutcome.Permanent))]
    public async Task A_status_means_what_the_contract_says(string status, Type outcome)
    {
        _sink.Answer = HttpSink.Status(status);
        (await SendAsync()).ShouldBeOfType(outcome);
    }

    [Theory]
    [InlineData("Retry-After: 30\r\n", 30)]
    [InlineData("Retry-After: Thu, 01 Jan 2026 00:01:30 GMT\r\n", 90)]
    [InlineData("Retry-After: Wed, 31 Dec 2025 00:00:00 GMT\r\n", null)]
    [InlineData("", null)]
    public async Task Retry_After_is_read_as_seconds_or_date(string header, int? seconds)
    {
        _sink.Answer = HttpSink.Status("429 Slow", header);
        (await SendAsync()).ShouldBeOfType<SendOutcome.Transient>().After.ShouldBe(seconds is { } s ? TimeSpan.FromSeconds(s) : null);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var other = new HttpSink();
        using var channel = Channel(new WebhookOptions { AllowList = [_sink.Allowed, other.Allowed] });
        foreach (var status in new[] { "301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent" })
        {
            _sink.Answer = HttpSink.Status(status, $"Location: http://{other.Allowed}/\r\n");
            (await SendAsync(channel: channel)).ShouldBeOfType<SendOutcome.Permanent>().Reason.ShouldContain("redirects are not followed");
        }

        other.Connects.ShouldBe(0);
    }

    [Fact]
    public async Task A_receiver_that_does_not_answer_is_transient_at_the_timeout()
    {
        _sink.Answer = null;
        using var channel = Channel(new WebhookOptions { AllowList = [_sink.Allowed], Timeout = TimeSpan.FromMilliseconds(200) });
        (await SendAsync(channel: channel)).ShouldBeOfType<SendOutcome.Transient>().Reason.ShouldContain("00:00:00.2");
    }

    [Fact]
    public async Task A_connection_that_is_refused_or_dropped_is_transient()
    {
        _sink.Answer = "";
        (await SendAsync()).ShouldBeOfType<SendOutcome.Transient>();
        var port = _sink.Port;
        await _sink.DisposeAsync();
        (await SendAsync(url: $"http://127.0.0.1:{port}/")).ShouldBeOfType<SendOutcome.Transient>()
            .Reason.ShouldStartWith("ConnectionError");
    }

    [Fact]
    public async Task A_name_that_does_not_exist_is_transient() =>
        (await SendAsync(url: "http://nowhere.invalid/")).ShouldBeOfType<SendOutcome.Transient>();

    [Fact]
    public async Task A_TLS_fault_is_permanent()
    {
        (_sink.Answer, _sink.SpeaksFirst) = ("this is no TLS\r\n", true);
        (await SendAsync(url: $"https://127.0.0.1:{_sink.Port}/")).ShouldBeOfType<SendOutcome.Permanent>().Reason.ShouldStartWith("TLS");
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_permanent()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        _sink.Certificate = certificate;
        (await SendAsync(url: $"https://127.0.0.1:{_sink.Port}/")).ShouldBeOfType<SendOutcome.Permanent>()
            .Reason.ShouldContain("certificate");
        _sink.Hits.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_lost_in_the_handshake_is_transient(bool hearsTheHello)
    {
        // What hangs up unheard resets the connection; what has heard it out ends it.
        (_sink.HangsUp, _sink.SpeaksFirst, _sink.Answer) = (hearsTheHello, true, "");
        (await SendAsync(url: $"https://127.0.0.1:{_sink.Port}/")).ShouldBeOfType<SendOutcome.Transient>()
            .Reason.ShouldStartWith(nameof(HttpRequestError.SecureConnectionError));
        _sink.Connects.ShouldBe(1);
    }

    [Fact]
    public async Task An_endless_reply_is_read_up_to_its_limit()
    {
        _sink.Answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        _sink.Endless = new string('x', 4096);
        var startedAt = Stopwatch.GetTimestamp();
        using var channel = Channel(new WebhookOptions { AllowList = [_sink.Allowed], Timeout = TimeSpan.FromSeconds(30) });
        (await SendAsync(channel: channel)).ShouldBe(new SendOutcome.Sent(null));
        Stopwatch.GetElapsedTime(startedAt).ShouldBeLessThan(TimeSpan.FromSeconds(25));
    }

    [Theory]
    [InlineData("not a url")]
    [InlineData("/relative")]
    [InlineData("ftp://example.org/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://example.org/")]
    [InlineData("http://user:secret@example.org/")]
    public async Task A_URL_of_another_kind_is_permanent_and_its_text_is_not_repeated(string url)
    {
        var reason = (await SendAsync(url: url)).ShouldBeOfType<SendOutcome.Permanent>().Reason;
        reason.ShouldNotContain("secret");
        reason.ShouldNotContain("passwd");
    }

    [Fact]
    public async Task Content_that_cannot_be_read_is_permanent()
    {
        var delivery = Sample.Delivery("key-1", "{"u8.ToArray());
        (await _channel.SendAsync(delivery, 1, default)).ShouldBeOfType<SendOutcome.Permanent>();
        _channel.EndpointOf(delivery).ShouldBe("unreadable");
    }

    [Fact]
    public void The_breakers_endpoint_is_host_and_port()
    {
        _channel.EndpointOf(Delivery("https://Example.ORG/a?b", [])).ShouldBe("example.org:443");
        _channel.EndpointOf(Delivery("http://example.org:8080/", [])).ShouldBe("example.org:8080");
    }

    private WebhookChannel Channel(WebhookOptions options) => new(options, _time);

    private static string Hmac(string secret, string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(body)));

    private static Delivery Delivery(string url, string[] secrets) => Sample.Delivery("key-1", new WebhookContent
    {
        Url = url, Body = Encoding.UTF8.GetBytes("{\"event\":1}"), Secrets = secrets, Subscription = "sub-1",
    }.Encode());

    private async Task<SendOutcome> SendAsync(string? url = null, string[]? secrets = null, WebhookChannel? channel = null) =>
        await (channel ?? _channel).SendAsync(Delivery(url ?? $"http://127.0.0.1:{_sink.Port}/hook?x=1", secrets ?? ["s"]), 1, default);
}
