using Belfry.Outbox;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Belfry.Server.Hosting;

/// <summary>
/// Says that the server listens on this machine only while nobody can sign in, and lets it listen where it was asked to once somebody can.
/// Where it then cannot, the program ends as it does when it cannot at its start: what runs it sees that, and nobody is paged by silence.
/// </summary>
internal sealed partial class ListenWider(
    ListenAddresses addresses, AdministratorGate gate, ServerShape shape, IServer server, IHostApplicationLifetime lifetime,
    TimeProvider time, ILogger<ListenWider> logger) : BackgroundService
{
    /// <summary>So that the browser that made the administrator gets its next page before its connection ends.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);

    /// <summary>Seldom: a set-up takes minutes.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(3);

    /// <summary>Kestrel lets open requests end for 5 s before it binds again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!addresses.IsNarrowed || !await lifetime.HasStartedAsync(stoppingToken)) return;
        var (wanted, bound) = (string.Join(", ", addresses.Wanted), string.Join(", ", Listened));
        LogNarrowed(logger, bound, wanted);
        await Console.Out.WriteLineAsync($"Until there is an administrator Belfry listens on {bound} only, then on {wanted}.");
        await OpenedAsync(stoppingToken);
        await Task.Delay(Grace, time, stoppingToken);
        addresses.Widen(Listened);
        LogWidened(logger, wanted);
        await Task.Delay(Patience, time, stoppingToken);
        if (Listened.Count >= addresses.Wanted.Count) return;
        LogNotBound(logger, wanted, string.Join(", ", Listened));
        addresses.WereRefused = true;
        lifetime.StopApplication();
    }

    /// <summary>Here, or on another instance, which only the store tells.</summary>
    private async Task OpenedAsync(CancellationToken cancel)
    {
        while (shape.Ports.AreShared && !gate.IsOpen)
        {
            try
            {
                await gate.LookAsync(cancel);
            }
            catch (StoreUnavailableException)
            {
                // It is asked again below.
            }

            await Task.WhenAny(gate.Opened, Task.Delay(LookAgain, time, cancel));
            cancel.ThrowIfCancellationRequested();
        }

        await gate.Opened.WaitAsync(cancel);
    }

    private IReadOnlyList<string> Listened => [.. server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    [LoggerMessage(221, LogLevel.Warning, "Nobody can sign in yet: Belfry listens on {Bound} only, and on {Wanted} once somebody can")]
    private static partial void LogNarrowed(ILogger logger, string bound, string wanted);

    [LoggerMessage(222, LogLevel.Information, "There is an administrator now: Belfry goes over to {Wanted}")]
    private static partial void LogWidened(ILogger logger, string wanted);

    [LoggerMessage(223, LogLevel.Critical,
        "Belfry could not listen on {Wanted}, only on '{Bound}', and ends; free the addresses")]
    private static partial void LogNotBound(ILogger logger, string wanted, string bound);
}
