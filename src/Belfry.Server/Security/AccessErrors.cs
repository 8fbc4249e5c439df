using Belfry.Server.Hosting;

namespace Belfry.Server.Security;

/// <summary>The REST API's error shape, used for every refusal here.</summary>
internal sealed record AccessErrorBody(AccessError Error);

/// <param name="Message">One sentence.</param>
/// <param name="Code">The HTTP status, for want of a finer one.</param>
/// <param name="Errors">All faults.</param>
internal sealed record AccessError(string Message, int Code, IReadOnlyList<string> Errors);

internal static class AccessErrors
{
    public static IResult Result(int status, string message, params IReadOnlyList<string> errors) =>
        Results.Json(new AccessErrorBody(new AccessError(message, status, errors)), HostJson.Default.AccessErrorBody, statusCode: status);

    public static Task WriteAsync(HttpResponse response, int status, string message)
    {
        response.StatusCode = status;
        return response.WriteAsJsonAsync(new AccessErrorBody(new AccessError(message, status, [message])), HostJson.Default.AccessErrorBody);
    }
}
