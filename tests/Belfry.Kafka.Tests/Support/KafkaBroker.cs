using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Belfry.Kafka.Tests;

/// <summary>
/// The Kafka that these tests talk to: the one that BELFRY_TEST_KAFKA names (bootstrap servers), else one of our own, started once by
/// <c>shared/kafka/kafka</c> and stopped when this process ends. Without either the tests skip, and fail when CI=true.
/// </summary>
internal static class KafkaBroker
{
    private static readonly string? External = Environment.GetEnvironmentVariable("BELFRY_TEST_KAFKA") is { Length: > 0 } set ? set : null;

    private static readonly string[] Settings =
    [
        // Sessions and rebalances of seconds, not minutes, and retention that is looked at while a test waits for it.
        "group.min.session.timeout.ms=300", "group.consumer.min.session.timeout.ms=1000", "group.consumer.session.timeout.ms=10000",
        "group.consumer.min.heartbeat.interval.ms=100", "group.consumer.heartbeat.interval.ms=200", "log.retention.check.interval.ms=200",
    ];

    private static readonly Lazy<Task<string>> Started = new(() => External is null ? Task.Run(Start) : Task.FromResult(External));

    // Its end of the pipe closes with this process, however it ends; what reads the other end stops the broker.
    private static Process? _guard;

    public static bool IsExternal => External is not null;

    /// <summary>The bootstrap servers; skips the test where there is no Kafka to be had.</summary>
    public static async Task<string> BootstrapAsync()
    {
        Native.Need();
        if (External is null && WhyNone() is { } reason) Native.SkipOrFail(reason);
        return await Started.Value;
    }

    /// <summary>The script that starts brokers of one's own; skips the test where that cannot be.</summary>
    public static string ScriptOrSkip()
    {
        Native.Need();
        if (WhyNone() is { } reason) Native.SkipOrFail(reason);
        return Script()!;
    }

    private static string? WhyNone()
    {
        if (Script() is null) return "no Kafka: set BELFRY_TEST_KAFKA to a broker, or BELFRY_SHARED to the folder that holds kafka/kafka";
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return folders.Any(folder => File.Exists(Path.Combine(folder, "java"))) ? null : "no Java: apt-get install openjdk-17-jre-headless";
    }

    private static string? Script()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("BELFRY_SHARED") is { Length: > 0 } shared) places.Add(shared);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, "shared"));
        return places.Select(place => Path.Combine(place, "kafka", "kafka")).FirstOrDefault(File.Exists);
    }

    private static string Start()
    {
        var script = Script()!;
        var folder = Directory.CreateTempSubdirectory("belfry-kafka-").FullName;
        _guard = Process.Start(new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "cat >/dev/null; \"$1\" stop \"$2\"; rm -rf \"$2\"", "guard", script, folder },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        });
        var start = new ProcessStartInfo(script) { RedirectStandardOutput = true, RedirectStandardError = true };
        // A broker of minutes starts sooner when its code is not compiled twice.
        start.Environment["KAFKA_TIER"] = "1";
        foreach (var word in (string[])["start", folder, "--port", $"{FreePorts(1)}"]) start.ArgumentList.Add(word);
        foreach (var setting in Settings)
        {
            start.ArgumentList.Add("--set");
            start.ArgumentList.Add(setting);
        }

        using var starting = Process.Start(start)!;
        var said = starting.StandardOutput.ReadLine();
        return said is { Length: > 0 }
            ? said
            : throw new InvalidOperationException($"{script} did not start: {starting.StandardError.ReadToEnd()}");
    }

    /// <summary>The first of as many free ports in a row, each with a free one a hundred above it, for the controllers.</summary>
    public static int FreePorts(int brokers)
    {
        while (true)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            if (port < 60_000 && Enumerable.Range(1, brokers - 1).Concat(Enumerable.Range(100, brokers)).All(more => IsFree(port + more)))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
