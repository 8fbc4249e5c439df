using System.Net;
using System.Text.Json;
using Belfry.Alerting.Catalog;
using Belfry.Server.Security;
using Belfry.Server.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Security;

public sealed class SignInTests(RunningServer server) : IClassFixture<RunningServer>
{
    private const string Password = "correct horse battery";

    [Fact]
    public async Task The_set_up_link_makes_an_administrator_once_and_opens_the_gate()
    {
        var gate = server.Services.GetRequiredService<AdministratorGate>();
        var secret = await server.Shape.Access.InviteAsync(
            null, TimeSpan.FromDays(1), new Actor(null, "test"), DateTimeOffset.UtcNow, default);
        using var browser = new Browser(server.Url);
        gate.IsOpen.ShouldBeFalse();
        using var weak = await browser.SubmitAsync(
            $"/setup/{secret.Text}", "form", ("name", "Root"), ("email", "root@example.com"), ("password", "short"));
        weak.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        using var made = await browser.SubmitAsync(
            $"/setup/{secret.Text}", "form", ("name", "Root"), ("email", "root@example.com"), ("password", Password));
        made.StatusCode.ShouldBe(HttpStatusCode.Redirect);
        gate.IsOpen.ShouldBeTrue();
        var cookie = made.Headers.GetValues("Set-Cookie").Single(value => value.StartsWith("belfry_session=", StringComparison.Ordinal));
        cookie.ShouldContain("httponly", Case.Insensitive);
        cookie.ShouldContain("samesite=strict", Case.Insensitive);
        (await browser.GetAsync("/health/details")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await browser.GetAsync($"/setup/{secret.Text}")).StatusCode.ShouldBe(HttpStatusCode.NotFound);

        using var noToken = await browser.PostAsync("/logout", new FormUrlEncodedContent([]));
        noToken.StatusCode.ShouldBe(HttpStatusCode.Forbidden, "a cookie alone must not act");
        using var other = new Browser(server.Url);
        using var signedIn = await other.SubmitAsync(
            "/login", "form", ("email", "ROOT@example.com"), ("password", Password), ("return_url", "//evil.example"));
        signedIn.StatusCode.ShouldBe(HttpStatusCode.Redirect);
        signedIn.Headers.Location!.OriginalString.ShouldBe("/");
        (await other.GetAsync("/api/tokens")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized, "a cookie opens no API");
    }

    [Fact]
    public async Task The_tenth_try_for_an_account_is_refused_with_the_time_to_wait()
    {
        using var browser = new Browser(server.Url);
        for (var i = 0; i < 9; i++)
        {
            using var wrong = await browser.SubmitAsync("/login", "form", ("email", "nobody@example.com"), ("password", "wrong password!"));
            wrong.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        }

        using var limited = await browser.SubmitAsync("/login", "form", ("email", "Nobody@example.com"), ("password", "wrong password!"));
        limited.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        limited.Headers.RetryAfter!.Delta!.Value.ShouldBeGreaterThan(TimeSpan.FromMinutes(10));
    }

    [Fact]
    public async Task A_token_opens_the_api_until_it_is_revoked()
    {
        using var issued = await server.SendAsync(
            HttpMethod.Post, "/api/tokens", server.AdminToken,
            content: new StringContent("{\"name\":\"ci\",\"scope\":\"write\"}", null, "application/json"));
        issued.StatusCode.ShouldBe(HttpStatusCode.Created);
        var body = JsonDocument.Parse(await issued.Content.ReadAsStringAsync()).RootElement;
        var secret = body.GetProperty("secret").GetString()!;
        var id = body.GetProperty("token").GetProperty("id").GetString();
        using var listed = await server.SendAsync(HttpMethod.Get, "/api/tokens", secret);
        (await listed.Content.ReadAsStringAsync()).ShouldNotContain(secret);
        listed.Headers.GetValues("ratelimit-limit").ShouldBe(["960"]);
        (await server.SendAsync(HttpMethod.Delete, $"/api/tokens/{id}", server.AdminToken)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await server.SendAsync(HttpMethod.Get, "/api/tokens", secret)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("/login", false)]
    [InlineData("/setup/x", false)]
    [InlineData("/ack/x", false)]
    [InlineData("/logout", true)]
    [InlineData("/incidents/bulk", true)]
    public async Task A_form_that_is_stale_or_cannot_be_read_is_refused_with_a_page(string path, bool signedIn)
    {
        using var browser = signedIn ? await server.SignedInAsync("ada@example.com") : new Browser(server.Url);
        await browser.GetAsync("/login");
        HttpContent stale = new FormUrlEncodedContent([new("__RequestVerificationToken", "CfDJ8stale")]);
        HttpContent broken = new StringContent("no part", null, "multipart/form-data");
        HttpContent crowded = new FormUrlEncodedContent(Enumerable.Range(0, 2_000).Select(i => KeyValuePair.Create($"f{i}", "x")));
        foreach (var content in (HttpContent[])[stale, broken, crowded])
        {
            using var answer = await browser.PostAsync(path, content);
            answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
            (await Browser.ParseAsync(answer)).QuerySelector("h1")!.TextContent.ShouldBe("That was not done");
        }
    }

    [Fact]
    public async Task A_form_whose_session_has_ended_leads_to_the_sign_in()
    {
        using var browser = new Browser(server.Url);
        using var answer = await browser.PostAsync("/incidents/bulk", new FormUrlEncodedContent([]));
        answer.StatusCode.ShouldBe(HttpStatusCode.Redirect);
        answer.Headers.Location!.OriginalString.ShouldBe("/login?return_url=%2F");
    }

    [Fact]
    public async Task What_a_role_may_not_do_a_browser_is_told_by_a_page()
    {
        using var browser = await server.SignedInAsync("chi@example.com");
        using var answer = await browser.GetAsync("/health/details");
        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await Browser.ParseAsync(answer)).QuerySelector("[role=alert]")!.TextContent.ShouldBe("Your role does not allow this.");
    }

    [Fact]
    public async Task Every_answer_forbids_inline_script_framing_and_sniffing()
    {
        foreach (var path in (string[])["/login", "/health/live", "/nowhere", "/api/tokens"])
        {
            using var response = await server.SendAsync(HttpMethod.Get, path);
            response.Headers.GetValues("Content-Security-Policy").Single().ShouldNotContain("unsafe");
            response.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
            response.Headers.GetValues("Referrer-Policy").ShouldBe(["same-origin"]);
        }
    }
}
