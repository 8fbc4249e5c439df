using System.Text.Json.Nodes;

namespace Belfry.Server.Api;

/// <summary>What all shapes of the API share.</summary>
internal static class Shape
{
    /// <summary>How an object names another: <c>{id, type: "<paramref name="type"/>_reference", summary, self, html_url}</c>.</summary>
    /// <param name="type">Such as <c>user</c>.</param>
    /// <param name="path">Its collection under <c>/api</c>, such as <c>users</c>.</param>
    /// <param name="id">Its id.</param>
    /// <param name="summary">Its name, or null when it is gone.</param>
    /// <param name="page">Its web page, or null when it has none.</param>
    public static JsonObject Reference(string type, string path, string id, string? summary, string? page = null) => new()
    {
        ["id"] = id,
        ["type"] = type + "_reference",
        ["summary"] = summary,
        ["self"] = $"{ApiEndpoints.Root}/{path}/{id}",
        ["html_url"] = page,
    };

    /// <summary>The fields every object begins with.</summary>
    public static JsonObject Head(string type, string path, string id, string summary, string? page = null) => new()
    {
        ["id"] = id,
        ["type"] = type,
        ["summary"] = summary,
        ["self"] = $"{ApiEndpoints.Root}/{path}/{id}",
        ["html_url"] = page,
    };

    public static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> shape) => new([.. items.Select(shape)]);

    /// <summary>Answers one object under its name.</summary>
    public static IResult One(string name, JsonNode body, int status = 200) => new JsonNodeResult(status, new JsonObject { [name] = body });
}
