using System.Text.RegularExpressions;
using Belfry.Server.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Belfry.Server.Tests.Api;

/// <summary>Walks every route with an id in it.</summary>
[Collection(WebCollection.Name)]
public sealed partial class PathIdTests(RunningServer server)
{
    public static TheoryData<string> BadIds => ["not-a-guid", "0190", "00000000000000000000000000000000", "..%2f", new('9', 30)];

    [GeneratedRegex(@"\{[^}*]+\}")]
    private static partial Regex Parameter();

    [Theory]
    [MemberData(nameof(BadIds))]
    public async Task A_bad_id_is_answered_404_in_the_error_shape_by_whatever_reads_or_deletes(string id)
    {
        var routes = Routes("/api/").Where(route => route.Method is "GET" or "DELETE").ToList();
        routes.Count.ShouldBeGreaterThan(25);
        foreach (var (method, pattern) in routes) await ShouldBeMissingAsync(method, pattern, id);
    }

    [Theory]
    [InlineData("not-a-guid")]
    [InlineData("a.b")]
    public async Task What_is_no_id_at_all_is_answered_404_before_its_body_is_looked_at(string id)
    {
        var routes = Routes("/api/").Where(route => route.Method is "POST" or "PUT").ToList();
        routes.Count.ShouldBeGreaterThan(10);
        foreach (var (method, pattern) in routes) await ShouldBeMissingAsync(method, pattern, id);
    }

    [Theory]
    [MemberData(nameof(BadIds))]
    public async Task A_page_with_a_bad_id_is_not_found(string id)
    {
        var routes = Routes("/").Where(route => route.Method == "GET" && !Outside(route.Pattern)).ToList();
        routes.Count.ShouldBeGreaterThan(1);
        foreach (var (_, pattern) in routes)
        {
            var (status, page) = await server.PageAsync(Parameter().Replace(pattern, id));
            status.ShouldBe(404, pattern);
            page.QuerySelector("h1").ShouldNotBeNull(pattern);
        }
    }

    private static bool Outside(string pattern) =>
        pattern.StartsWith("/api/", StringComparison.Ordinal) || pattern.StartsWith("/openapi/", StringComparison.Ordinal);

    private async Task ShouldBeMissingAsync(string method, string pattern, string id)
    {
        var path = Parameter().Replace(pattern, id)["/api".Length..];
        var (status, body, _) = await server.CallAsync(new HttpMethod(method), path, method is "POST" or "PUT" ? "{}" : null);
        status.ShouldBe(404, $"{method} {path}");
        ((int)body!["error"]!["code"]!).ShouldBe(2100, $"{method} {path}");
    }

    private IEnumerable<(string Method, string Pattern)> Routes(string under) =>
        from endpoint in server.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
        let pattern = "/" + endpoint.RoutePattern.RawText!.Trim('/')
        where pattern.StartsWith(under, StringComparison.Ordinal) && Parameter().IsMatch(pattern)
        from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []
        select (method, pattern);
}
