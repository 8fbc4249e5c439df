using System.Net;
using System.Text.RegularExpressions;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Security;
using Belfry.Server.Tests.Support;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Security;

/// <summary>Walks the endpoint table, so that a new route fails until it names a policy or is listed as public.</summary>
[Collection(WebCollection.Name)]
public sealed partial class RouteTests(RunningServer server)
{
    private sealed record Route(string Pattern, HttpMethod Method, string? Policy)
    {
        public bool Changes => Method != HttpMethod.Get && Method != HttpMethod.Head && Method != HttpMethod.Options;
        public string Path => Parameter().Replace(Pattern, "00000000000000000000000000000000");
        public override string ToString() => $"{Method} {Pattern}";
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();

    private List<Route> Routes() =>
    [
        .. from endpoint in server.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
           from method in MethodsOf(endpoint)
           select new Route("/" + endpoint.RoutePattern.RawText!.Trim('/'), new HttpMethod(method), PolicyOf(endpoint)),
    ];

    private static IReadOnlyList<string> MethodsOf(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is { Count: > 0 } methods ? methods : ["GET", "POST"];

    private static string? PolicyOf(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null ? "public" : endpoint.Metadata.GetMetadata<IAuthorizeData>()?.Policy;

    [Fact]
    public void Every_route_names_a_policy_or_is_listed_as_public()
    {
        var routes = Routes();
        routes.Count.ShouldBeGreaterThan(10);
        foreach (var route in routes)
            if (route.Policy == "public") PublicRoutes.Patterns.ShouldContain(route.Pattern);
            else Policies.LeastRoles.Keys.ShouldContain(route.Policy ?? "none", $"{route} names no policy");
    }

    [Fact]
    public async Task Without_credentials_every_route_but_the_public_ones_is_closed()
    {
        foreach (var route in Routes().Where(route => route.Policy != "public"))
        {
            using var response = await server.SendAsync(route.Method, route.Path);
            var toLogin = response.StatusCode == HttpStatusCode.Redirect
                && response.Headers.Location!.OriginalString.StartsWith("/login", StringComparison.Ordinal);
            (toLogin || response.StatusCode == HttpStatusCode.Unauthorized).ShouldBeTrue($"{route} gave {(int)response.StatusCode}");
            using var forged = await server.SendAsync(route.Method, route.Path, token: "bfy_forged");
            forged.StatusCode.ShouldBe(HttpStatusCode.Unauthorized, route.ToString());
        }
    }

    [Fact]
    public async Task With_too_low_a_role_a_route_is_forbidden()
    {
        foreach (var (policy, least) in Policies.LeastRoles.Where(pair => pair.Value > UserRole.Observer))
        {
            var token = await TokenOfAsync(least - 1, TokenScope.Write);
            foreach (var route in Routes().Where(route => route.Policy == policy))
            {
                using var response = await server.SendAsync(route.Method, route.Path, token);
                response.StatusCode.ShouldBe(HttpStatusCode.Forbidden, $"{route} as {least - 1}");
            }
        }
    }

    [Fact]
    public async Task From_another_site_nothing_can_be_changed()
    {
        foreach (var route in Routes().Where(route => route.Changes && !route.Pattern.StartsWith("/v2/", StringComparison.Ordinal)))
        {
            using var response = await server.SendAsync(route.Method, route.Path, server.AdminToken, origin: "https://evil.example");
            response.StatusCode.ShouldBe(HttpStatusCode.Forbidden, route.ToString());
        }
    }

    [Fact]
    public async Task A_token_of_scope_read_changes_nothing()
    {
        var token = await TokenOfAsync(UserRole.Administrator, TokenScope.Read);
        foreach (var route in Routes().Where(route => route.Changes && route.Policy != "public"))
        {
            using var response = await server.SendAsync(route.Method, route.Path, token);
            response.StatusCode.ShouldBe(HttpStatusCode.Forbidden, route.ToString());
        }
    }

    [Fact]
    public async Task A_path_without_a_route_is_no_news_to_strangers()
    {
        using var response = await server.SendAsync(HttpMethod.Get, "/no/such/page");
        ((int)response.StatusCode).ShouldBeOneOf(302, 401, 404);
    }

    private async Task<string> TokenOfAsync(UserRole role, TokenScope scope)
    {
        var shape = server.Shape;
        var by = new Actor(null, "test");
        var email = $"{role}-{Guid.NewGuid():N}@example.com";
        var user = (await shape.People.CreateUserAsync(new UserDraft("Test", email, "Etc/UTC", role), by, DateTimeOffset.UtcNow, default))
            .ShouldBeOfType<ChangeResult<User>.Done>().Value;
        return (await shape.Access.IssueTokenAsync(user.Id, "test", scope, null, by, DateTimeOffset.UtcNow, default)).Secret.Text;
    }
}
