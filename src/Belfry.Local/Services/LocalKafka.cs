using System.Globalization;

namespace Belfry.Local.Services;

/// <summary>Kafka by the script of the shared folder: one broker, or three that keep each record three times.</summary>
internal sealed class LocalKafka(string folder, int port, int brokers) : LocalService
{
    // With these a dead broker is replaced within seconds: reliability reference, section 1.
    private static readonly string[] Quick =
        ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500", "group.min.session.timeout.ms=1000"];

    private readonly string? _script = Programs.KafkaScript();

    public override string Name => "Kafka";

    public static readonly (string Section, string Address) Setting = ("Kafka", "BootstrapServers");

    public override (string Section, string Address) Key => Setting;

    public override string Address => string.Join(',', Enumerable.Range(port, brokers).Select(one => $"127.0.0.1:{one}"));

    public override IReadOnlyList<(string Key, string Value)> Settings =>
    [
        ("BootstrapServers", Address),
        ("ReplicationFactor", brokers.ToString(CultureInfo.InvariantCulture)),
        ("MinInSyncReplicas", (brokers == 1 ? 1 : 2).ToString(CultureInfo.InvariantCulture)),
    ];

    private string Log => folder + ".log";

    public override string? Missing()
    {
        if (_script is null)
            return "There is no Kafka to start: name yours (Belfry__Kafka__BootstrapServers=host:port), or set BELFRY_SHARED to the "
                + "folder that holds kafka/kafka.";
        return Programs.OnPath("java") is null
            ? "Kafka needs Java and there is none on the PATH; install it with: apt-get install openjdk-17-jre-headless"
            : null;
    }

    public override async Task StartAsync(CancellationToken cancel)
    {
        var made = Path.Combine(folder, "brokers");
        if (!File.Exists(made))
        {
            // What a start that was cut short has left.
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            string[] settings = [.. Quick.SelectMany(setting => (string[])["--set", setting])];
            await RunAsync(["start", folder, "--brokers", $"{brokers}", "--port", $"{port}", .. settings], cancel);
            return;
        }

        if ((await File.ReadAllTextAsync(made, cancel)).Trim() is var has && has != $"{brokers}")
            throw new InvalidOperationException(
                $"Kafka in '{folder}' has {has} brokers, not {brokers}; take another folder, or --brokers {has}.");
        var down = (await StatesAsync(cancel)).Where(broker => broker.State == "down").ToList();
        // Side by side: one of three alone has no quorum and would wait for the others.
        await Task.WhenAll(down.Select(broker => RunAsync(["up", folder, broker.Id], cancel)));
    }

    public override async Task StopAsync(CancellationToken cancel)
    {
        if (_script is not null && File.Exists(Path.Combine(folder, "brokers"))) await RunAsync(["stop", folder], cancel);
    }

    public override async Task<bool> IsUpAsync(CancellationToken cancel) =>
        await StatesAsync(cancel) is { Count: > 0 } states && states.All(broker => broker.State == "up");

    private async Task<IReadOnlyList<(string Id, string State)>> StatesAsync(CancellationToken cancel)
    {
        if (_script is null || !File.Exists(Path.Combine(folder, "brokers"))) return [];
        var lines = await Command.OutputAsync([_script, "status", folder], cancel);
        return
        [
            .. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
                .Select(words => (words[0], words[^1])),
        ];
    }

    // Three brokers beside everything else: small heaps.
    private Task RunAsync(string[] words, CancellationToken cancel) =>
        Command.RunAsync(Log, [_script!, .. words], cancel, [.. Heap()]);

    private IEnumerable<(string, string)> Heap()
    {
        if (brokers > 1 && Environment.GetEnvironmentVariable("KAFKA_HEAP") is null) yield return ("KAFKA_HEAP", "320m");
    }
}
