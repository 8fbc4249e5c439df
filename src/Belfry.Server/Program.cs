using System.Data.Common;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Postgres;
using Belfry.Server.Api;
using Belfry.Server.Events;
using Belfry.Server.Hosting;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Belfry.Sqlite;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;

if (args.Contains("--help"))
{
    Console.WriteLine(ServerOptions.Usage);
    return 0;
}

var faults = new List<string>();
var options = ServerOptions.Read(args, ServerOptions.ConfigurationOf(args, faults), faults);
if (faults.Count > 0)
{
    await Console.Error.WriteLineAsync(string.Join('\n', faults) + "\nbelfry-server --help lists the options.");
    return 2;
}

BelfryServer server;
try
{
    server = await BelfryServer.OpenAsync(options, TimeProvider.System, CancellationToken.None);
}
catch (Exception fault) when (fault is InvalidOperationException or TopicMismatchException or SqliteFileInUseException
    or PostgresSchemaException or ShardLayoutException or LogUnavailableException or StoreUnavailableException or DbException
    or ArgumentException or IOException or UnauthorizedAccessException)
{
    // What its own text is enough to mend.
    await Console.Error.WriteLineAsync(fault.Message);
    return 1;
}

await using (server) await server.App.RunAsync();
return server.ExitCode;

/// <summary>The whole server: what it is made of, and the way of a request through it.</summary>
internal sealed class BelfryServer(WebApplication app, ServerShape shape, ListenAddresses listen) : IAsyncDisposable
{
    public WebApplication App => app;

    /// <summary>Of a program that has ended without an exception.</summary>
    public int ExitCode => listen.WereRefused ? 1 : 0;

    public static async Task<BelfryServer> OpenAsync(ServerOptions options, TimeProvider time, CancellationToken cancel)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.AddBelfryConsole();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.LimitRequests();
        var listen = ListenAddresses.AddTo(builder.Configuration, options.Urls);
        var shape = await ServerShape.OpenAsync(options, time, HostLogging.Factory(builder.Configuration), cancel);
        shape.Register(builder.Services);
        if (options.Demo) builder.Services.AddSingleton(await DemoData.EnsureAsync(shape, cancel));
        builder.Services.AddSecurity(options.KeysPath);
        builder.Services.AddSingleton(listen).AddHostedService<ListenWider>();
        builder.Services.AddHops();
        builder.Services.BoundStop();
        builder.Services.AddApi();
        builder.Services.AddPages();

        var app = builder.Build();
        var gate = app.Services.GetRequiredService<AdministratorGate>();
        await gate.LookAsync(cancel);
        if (options.Roles.ServesApi)
            await FormKeys.EnsureAsync(
                app.Services.GetRequiredService<IDataProtectionProvider>(), shape.Ports, options.KeysPath, cancel);
        listen.Bind(everywhere: gate.IsOpen);
        app.UseAdministratorGate();
        app.UseSecurityHeaders();
        app.UseOutages();
        if (!options.Roles.ServesApi) app.UseHealthAlone();
        app.UseStaticFiles();
        app.UseRouting();
        app.UseAuthentication();
        app.UseRequestGuard();
        app.UseAuthorization();
        app.UseAntiforgery();
        app.MapHealth();
        if (!options.Roles.ServesApi) return new BelfryServer(app, shape, listen);
        app.MapEvents();
        app.MapSignIn();
        app.MapAccess();
        app.MapApi();
        app.MapPages();
        return new BelfryServer(app, shape, listen);
    }

    /// <summary>The app first, so that what drains still has its stores.</summary>
    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        await shape.CloseInTimeAsync();
    }
}
