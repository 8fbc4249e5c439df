using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// A real Kafka of this bench, from <c>kafka/kafka</c> in the folder that <c>BELFRY_SHARED</c> names, or in a folder <c>shared</c> beside
/// one of those above. It is stopped and its folder removed when we are gone.
/// </summary>
internal sealed class KafkaParts : IAsyncDisposable
{
    private readonly Process _guard;
    private readonly string _script;
    private readonly string _folder;

    private KafkaParts(Process guard, string script, string folder, string bootstrap) =>
        (_guard, _script, _folder, Bootstrap) = (guard, script, folder, bootstrap);

    public string Bootstrap { get; }

    /// <param name="brokers">1 or 3.</param>
    /// <param name="settings">Of the brokers, <c>name=value</c>.</param>
    public static async Task<KafkaParts> StartAsync(int brokers, params string[] settings)
    {
        var script = Script() ?? throw new InvalidOperationException("No Kafka: set BELFRY_SHARED to the folder that holds kafka/kafka.");
        var folder = Directory.CreateTempSubdirectory("belfry-bench-kafka-").FullName;
        var guard = Process.Start(new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "cat >/dev/null; \"$1\" stop \"$2\"; rm -rf \"$2\"", "guard", script, folder },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var bootstrap = await RunAsync(
            script,
            [
                "start", folder, "--brokers", $"{brokers}", "--port", $"{FreePort()}",
                .. settings.SelectMany(set => (string[])["--set", set]),
            ]);
        return new KafkaParts(guard, script, folder, bootstrap);
    }

    /// <summary>Stops the broker where it is, as a machine that hangs; counted from 1.</summary>
    public Task FreezeAsync(int broker) => RunAsync(_script, ["pause", _folder, $"{broker}"]);

    public Task ThawAsync(int broker) => RunAsync(_script, ["resume", _folder, $"{broker}"]);

    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private static async Task<string> RunAsync(string script, IReadOnlyList<string> words)
    {
        // Brokers keep what they inherit open: what is said goes through a file, not through a pipe that never ends.
        var said = Path.GetTempFileName();
        try
        {
            using var process = Process.Start(
                "/bin/sh", ["-c", "out=$1; shift; exec \"$@\" >\"$out\" </dev/null", "kafka", said, script, .. words]);
            await process.WaitForExitAsync();
            return process.ExitCode == 0
                ? (await File.ReadAllTextAsync(said)).Trim()
                : throw new InvalidOperationException($"'{script} {string.Join(' ', words)}' ended with {process.ExitCode}.");
        }
        finally
        {
            File.Delete(said);
        }
    }

    private static string? Script()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("BELFRY_SHARED") is { Length: > 0 } shared) places.Add(shared);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, "shared"));
        return places.Select(place => Path.Combine(place, "kafka", "kafka")).FirstOrDefault(File.Exists);
    }

    /// <summary>A port that leaves room for the brokers' others behind it, a hundred apart.</summary>
    private static int FreePort()
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            if (port is < 60_000 and > 10_000) return port;
        }
    }
}
