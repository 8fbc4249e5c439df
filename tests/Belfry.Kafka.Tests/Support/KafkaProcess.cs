using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Belfry.Kafka.Tests;

/// <summary>
/// A Kafka of this process's own, started by <c>shared/kafka/kafka</c> and stopped when this process ends, however it does. Tests and
/// benches share it; they keep its only instance.
/// </summary>
internal static class KafkaProcess
{
    // Its end of the pipe closes with this process, however it ends; what reads the other end stops the broker.
    private static Process? _guard;

    // Under its own lock.
    private static readonly HashSet<int> Given = [];

    /// <summary>The broker that BELFRY_TEST_KAFKA names (bootstrap servers), or null.</summary>
    public static string? External { get; } =
        Environment.GetEnvironmentVariable("BELFRY_TEST_KAFKA") is { Length: > 0 } set ? set : null;

    /// <summary>Why none can be started here, or null.</summary>
    public static string? WhyNone()
    {
        if (Script() is null) return "no Kafka: set BELFRY_TEST_KAFKA to a broker, or BELFRY_SHARED to the folder that holds kafka/kafka";
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return folders.Any(folder => File.Exists(Path.Combine(folder, "java"))) ? null : "no Java: apt-get install openjdk-17-jre-headless";
    }

    /// <summary>Starts one broker, takes seconds. Returns its bootstrap servers.</summary>
    /// <param name="settings">The broker's, as name=value.</param>
    /// <param name="compiledTwice">False starts sooner; true runs faster after a while.</param>
    /// <exception cref="InvalidOperationException">It did not start; says what it said.</exception>
    public static string Start(IReadOnlyList<string> settings, bool compiledTwice)
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
        if (!compiledTwice) start.Environment["KAFKA_TIER"] = "1";
        foreach (var word in (string[])["start", folder, "--port", $"{FreePorts(1)}"]) start.ArgumentList.Add(word);
        foreach (var setting in settings)
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

    /// <summary>Null where there is none.</summary>
    public static string? Script()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("BELFRY_SHARED") is { Length: > 0 } shared) places.Add(shared);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, "shared"));
        return places.Select(place => Path.Combine(place, "kafka", "kafka")).FirstOrDefault(File.Exists);
    }

    /// <summary>
    /// The first of as many free ports in a row, each with a free one a hundred above it, for the controllers. Below those that systems
    /// give to outgoing connections, of which one could take it before the broker does. No two calls of this process get the same.
    /// </summary>
    public static int FreePorts(int brokers)
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            int[] all = [.. Enumerable.Range(port, brokers), .. Enumerable.Range(port + 100, brokers)];
            lock (Given)
            {
                if (all.Any(Given.Contains) || !all.All(IsFree)) continue;
                Given.UnionWith(all);
                return port;
            }
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
