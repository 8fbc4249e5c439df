using Belfry.Server.Api;

namespace Belfry.Server.Security;

/// <summary>Refusals before any endpoint: a page to people, the API's error shape to programs.</summary>
internal static class Refusals
{
    /// <summary>Under <c>/api</c>, or with an Authorization header: browsers send neither by themselves.</summary>
    public static bool IsFromProgram(HttpRequest request) => AccessAuthentication.IsApi(request) || request.Headers.Authorization.Count > 0;

    /// <summary>Answers 403.</summary>
    public static Task WriteAsync(HttpContext context, string reason) =>
        (IsFromProgram(context.Request) ? ApiErrors.Forbidden(reason) : SignInPages.Refused(reason)).ExecuteAsync(context);
}
