using System.Net;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;

namespace Belfry.Server.Security;

/// <summary>
/// Until somebody can sign in as administrator, only this machine is answered: a fresh server on a network must not be anybody's for
/// the taking. The sockets are bound to loopback by then (<see cref="Hosting.ListenAddresses"/>); this is the second line, for a proxy
/// on this machine or a port handed through may make them reachable all the same.
/// </summary>
internal sealed class AdministratorGate(AccessStore access, CatalogReader catalog)
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True once there is an administrator with a password; stays true.</summary>
    public bool IsOpen => _opened.Task.IsCompleted;

    /// <summary>Completes when it opens.</summary>
    public Task Opened => _opened.Task;

    public async ValueTask LookAsync(CancellationToken cancel)
    {
        if (IsOpen) return;
        var canSignIn = await access.UsersWithPasswordAsync(cancel);
        if (catalog.Current.Users.Any(user => user.Role == UserRole.Administrator && canSignIn.Contains(user.Id))) _opened.TrySetResult();
    }
}

internal static class AdministratorGateUse
{
    private const string Refusal = """
        Belfry is not set up yet and answers only on its own machine.
        Open the set-up link that it printed at its start, on that machine or through an SSH tunnel:
            ssh -L 8080:127.0.0.1:8080 user@this-host
        """;

    public static void UseAdministratorGate(this IApplicationBuilder app)
    {
        var gate = app.ApplicationServices.GetRequiredService<AdministratorGate>();
        app.Use(next => context =>
        {
            if (gate.IsOpen || context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)) return next(context);
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            context.Response.ContentType = "text/plain; charset=utf-8";
            return context.Response.WriteAsync(Refusal);
        });
    }
}
