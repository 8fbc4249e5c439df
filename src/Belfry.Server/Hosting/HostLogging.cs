using Belfry.Server.Security;
using Microsoft.AspNetCore.Hosting.Server;

namespace Belfry.Server.Hosting;

internal static class HostLogging
{
    /// <summary>One line an entry, UTC times, errors of requests and of hops but not every request.</summary>
    public static ILoggingBuilder AddBelfryConsole(this ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
        // As long as it might say something, each request carries an activity and a scope for it. What fails at a start is thrown, too.
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // It warns that keys are not encrypted at rest: they lie in a folder that only the server's user can open.
        logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
        });
        return logging;
    }

    /// <summary>For what opens before the web host is built.</summary>
    public static ILoggerFactory Factory(IConfiguration configuration) =>
        LoggerFactory.Create(logging => logging.AddConfiguration(configuration.GetSection("Logging")).AddBelfryConsole());

    public static void AddHops(this IServiceCollection services)
    {
        services.AddSingleton(provider => new HopThreads(provider.GetRequiredService<ILogger<HopThreads>>()));
        services.AddSingleton(provider => new HopRunner(
            () => ShapePipeline.Hops(
                provider.GetRequiredService<ServerShape>(),
                new Uri((provider.GetRequiredService<ServerOptions>().BaseUrl ?? provider.GetRequiredService<IServer>().LocalUrl()) + "/")),
            provider.GetRequiredService<HopThreads>(), provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<HopRunner>>()));
        services.AddHostedService(provider => provider.GetRequiredService<HopRunner>());
        services.AddSingleton(provider => Readiness.Of(
            provider.GetRequiredService<HopRunner>(), provider.GetRequiredService<ServerShape>(),
            provider.GetRequiredService<IHostApplicationLifetime>()));
        services.AddHostedService(provider => new StartupNotice(
            provider.GetRequiredService<ServerShape>(), provider.GetRequiredService<AdministratorGate>(),
            provider.GetService<DemoSecrets>(),
            provider.GetRequiredService<IServer>(), provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<StartupNotice>>()));
    }
}
