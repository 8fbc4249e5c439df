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
        var secret = await server.Shape.Access.InviteAsync(null, TimeSpan.FromDays(1), new Actor(null, "test"), DateTimeOffset.UtcNow, default);
        using var browser = new Browser(server.Url);
        gate.IsOpen.ShouldBeFalse();
        using var weak = await browser.SubmitAsync($"/setup/{secret.Text}", "form", ("name", "Root"), ("email", "root@example.com"), ("password", "short"));
        weak.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        using var made = await browser.SubmitAsync($"/setup/{secret.Text}", "form", ("name", "Root"), ("email", "root@example.com"), ("password", Password));
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
        using var signedIn = await other.SubmitAsync("/login", "form", ("email", "ROOT@example.com"), ("password", Password), ("return_url", "//evil.example"));
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
            HttpMethod.Post, "/api/tokens", server.AdminToken, content: new StringContent("{\"name\":\"ci\",\"scope\":\"write\"}", null, "application/json"));
        issued.StatusCode.ShouldBe(HttpStatusCode.Created);
        var body = JsonDocument.Parse(await issued.Content.ReadAsStringAsync()).RootElement;
        var secret = body.GetProperty("secret").GetString()!;
        var id = body.GetProperty("token").GetProperty("id").GetString();
        using var listed = await server.SendAsync(HttpMethod.Get, "/api/tokens", secret);
        (await listed.Content.ReadAsStringAsync()).ShouldNotContain(secret);
        (await server.SendAsync(HttpMethod.Delete, $"/api/tokens/{id}", server.AdminToken)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        (await server.SendAsync(HttpMethod.Get, "/api/tokens", secret)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Every_answer_forbids_inline_script_framing_and_sniffing()
    {
        foreach (var path in (string[])["/login", "/health/live", "/nowhere", "/api/tokens"])
        {
            using var response = await server.SendAsync(HttpMethod.Get, path);
            response.Headers.GetValues("Content-Security-Policy").Single().ShouldNotContain("unsafe");
            response.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
            response.Headers.GetValues("Referrer-Policy").ShouldBe(["no-referrer"]);
        }
    }
}
