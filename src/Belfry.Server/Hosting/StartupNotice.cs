using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Outbox;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Hosting.Server;

namespace Belfry.Server.Hosting;

/// <summary>Once the server listens: prints the set-up link while there is no administrator, and writes the ready file.</summary>
internal sealed partial class StartupNotice(
    ServerShape shape, AdministratorGate gate, DemoSecrets? demo, IServer server, IHostApplicationLifetime lifetime,
    ILogger<StartupNotice> logger) : BackgroundService
{
    private static readonly TimeSpan SetupLifetime = TimeSpan.FromDays(1);
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AgainAfterMax = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!await lifetime.HasStartedAsync(stoppingToken)) return;
        var url = server.LocalUrl();
        LogServing(logger, url, shape.Options.DataDir, shape.Options.Roles);
        var setupUrl = gate.IsOpen || !shape.Options.Roles.ServesApi ? null : await InviteAsync(url, stoppingToken);
        if (shape.Options.ReadyFile is not { } path) return;
        var mailDir = shape.Options.Smtp is null ? shape.Options.MailPath : null;
        ReadyFile.Write(path, new ReadyInfo(url, setupUrl, shape.Options.DataDir, demo?.AdminToken, demo?.IntegrationKey, mailDir));
    }

    // To the console and not to the log, which may be kept and read by others: the link makes an administrator.
    private async Task<string> InviteAsync(string url, CancellationToken cancel)
    {
        var secret = await InvitedAsync(cancel);
        var link = $"{url}/setup/{secret.Text}";
        await Console.Out.WriteLineAsync(
            $"\nNobody can sign in yet. Make the first administrator within a day, on this machine:\n\n    {link}\n");
        return link;
    }

    // What this threw would end the whole program, which takes and pages events well without it.
    private async Task<Secret> InvitedAsync(CancellationToken cancel)
    {
        for (var pause = AgainAfter; ; pause = pause * 2 < AgainAfterMax ? pause * 2 : AgainAfterMax)
        {
            try
            {
                var (by, now) = (new Actor(null, "start"), shape.Time.GetUtcNow());
                return shape.Ports.AreShared
                    ? await shape.Access.InviteBesidesAsync(SetupLifetime, by, now, cancel)
                    : await shape.Access.InviteAsync(null, SetupLifetime, by, now, cancel);
            }
            catch (StoreUnavailableException fault)
            {
                LogNotInvited(logger, pause, fault.Message);
                await Task.Delay(pause, shape.Time, cancel);
            }
        }
    }

    [LoggerMessage(211, LogLevel.Information, "Belfry serves {Url}, data in {DataDir}, roles {Roles}")]
    private static partial void LogServing(ILogger logger, string url, string dataDir, RoleSet roles);

    [LoggerMessage(212, LogLevel.Warning, "The set-up link could not be made; again in {Pause}: {Reason}")]
    private static partial void LogNotInvited(ILogger logger, TimeSpan pause, string reason);
}
