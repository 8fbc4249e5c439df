using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Belfry.Server.Hosting;

internal static class HostLifetime
{
    /// <summary>Waits until the server listens; false when it never will.</summary>
    public static async Task<bool> HasStartedAsync(this IHostApplicationLifetime lifetime, CancellationToken cancel)
    {
        var started = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var onStart = lifetime.ApplicationStarted.Register(() => started.TrySetResult(true));
        using var onCancel = cancel.Register(() => started.TrySetResult(false));
        return await started.Task;
    }

    /// <summary>The first address listened on, as a browser on this machine can open it; no slash at its end.</summary>
    public static string LocalUrl(this IServer server)
    {
        var address = server.Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault() ?? "http://127.0.0.1";
        foreach (var any in (string[])["[::]", "0.0.0.0", "*", "+"])
            address = address.Replace($"://{any}:", "://127.0.0.1:", StringComparison.Ordinal);
        return address.TrimEnd('/');
    }
}
