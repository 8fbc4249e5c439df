using System.Globalization;

namespace Belfry.Server.Api;

/// <summary>
/// Answers 404 where a path holds something else in the place of an id, before any body is read: every parameter of the API's routes is
/// an id, or the number that incidents have as well. An id that could be one and is nobody's is the endpoint's to miss.
/// </summary>
internal sealed class PathIdFilter : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        foreach (var (name, value) in context.HttpContext.Request.RouteValues)
            if (name != UnknownApi.Parameter && value is string text && !MayBeId(text))
                return ValueTask.FromResult<object?>(ApiErrors.Missing($"object with the {name} '{text}'"));
        return next(context);
    }

    private static bool MayBeId(string text) =>
        Guid.TryParse(text, out _) || long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
