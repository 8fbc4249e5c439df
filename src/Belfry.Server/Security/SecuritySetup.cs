using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.DataProtection;

namespace Belfry.Server.Security;

internal static class SecuritySetup
{
    public static void AddSecurity(this IServiceCollection services, string keysFolder)
    {
        services.AddSingleton<AdministratorGate>();
        services.AddSingleton<SignIn>();
        services.AddAuthentication(AccessAuthentication.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, AccessAuthentication>(AccessAuthentication.SchemeName, null);
        services.AddAuthorization(Policies.Configure);
        services.AddAntiforgery(options =>
        {
            options.Cookie.Name = "belfry_antiforgery";
            options.Cookie.SameSite = SameSiteMode.Strict;
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        });
        services.AddDataProtection().SetApplicationName("belfry").PersistKeysToFileSystem(new DirectoryInfo(keysFolder));
    }

    /// <summary>Bounds of every request: 16 KiB of headers, 1 MiB of body (events have their own), and no sign of what serves it.</summary>
    public static void LimitRequests(this ConfigureWebHostBuilder host) => host.ConfigureKestrel(kestrel =>
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1_024;
        kestrel.Limits.MaxRequestBodySize = 1_024 * 1_024;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(20);
        kestrel.Limits.MaxConcurrentConnections = 10_000;
    });
}
