namespace Belfry.Server.Layout;

/// <summary>Decides which addresses from outside may become links.</summary>
internal static class SafeUrl
{
    /// <summary>The address in canonical form when it is absolute http or https without user name; else null.</summary>
    public static string? Of(string? text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri!.UserInfo.Length == 0
            ? uri.AbsoluteUri
            : null;
}
