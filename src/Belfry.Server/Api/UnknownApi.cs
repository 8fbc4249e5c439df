using Belfry.Server.Security;
using Microsoft.AspNetCore.Routing.Template;

namespace Belfry.Server.Api;

/// <summary>What no route of the API takes: 405 with <c>Allow</c> where the path takes other methods, else 404.</summary>
internal static class UnknownApi
{
    /// <summary>The one parameter of the API that is no id.</summary>
    public const string Parameter = "path";

    public static void MapUnknown(this RouteGroupBuilder api) =>
        api.Map($"/{{**{Parameter}}}", (HttpContext http, EndpointDataSource endpoints) =>
        {
            var allowed = MethodsOf(http.Request.Path, endpoints);
            if (allowed.Count == 0) return new JsonNodeResult(404, ApiErrors.ShapeOfStatus(404));
            http.Response.Headers.Allow = string.Join(", ", allowed);
            return new JsonNodeResult(405, ApiErrors.ShapeOfStatus(405));
        }).RequireAuthorization(Policies.Observer).ExcludeFromDescription();

    private static List<string> MethodsOf(PathString path, EndpointDataSource endpoints)
    {
        List<string> methods = [];
        foreach (var endpoint in endpoints.Endpoints.OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>() is not { } taken || endpoint.RoutePattern.RawText is not { } pattern)
                continue;
            if (new TemplateMatcher(TemplateParser.Parse(pattern.TrimStart('/')), []).TryMatch(path, []))
                methods.AddRange(taken.HttpMethods);
        }

        return [.. methods.Distinct().Order(StringComparer.Ordinal)];
    }
}
