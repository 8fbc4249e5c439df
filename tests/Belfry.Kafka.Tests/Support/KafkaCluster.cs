using System.Diagnostics;

namespace Belfry.Kafka.Tests;

/// <summary>
/// Brokers of one test alone, which may be killed and frozen: started by <c>shared/kafka/kafka</c>, stopped at the end, also when this
/// process does not get to its own. Where they cannot be had the test skips, and fails when CI=true.
/// </summary>
internal sealed class KafkaCluster : IAsyncDisposable
{
    // A dead broker is replaced within seconds, and a dead member's partitions go to others in as many.
    private static readonly string[] Settings =
        ["broker.session.timeout.ms=2000", "broker.heartbeat.interval.ms=500", "group.min.session.timeout.ms=1000"];

    private readonly string _script;
    private readonly string _folder;
    private readonly Process _guard;

    private KafkaCluster(string script, string folder, Process guard, string bootstrap) =>
        (_script, _folder, _guard, Bootstrap) = (script, folder, guard, bootstrap);

    /// <summary>The bootstrap servers.</summary>
    public string Bootstrap { get; }

    /// <param name="brokers">With three each record is kept three times, and two must have it.</param>
    /// <param name="port">The first broker's; default: a free one.</param>
    /// <param name="settings">Of each broker, as name=value; they win over what the script sets.</param>
    public static async Task<KafkaCluster> StartAsync(int brokers, int? port = null, IReadOnlyList<string>? settings = null)
    {
        var script = KafkaBroker.ScriptOrSkip();
        var folder = Directory.CreateTempSubdirectory("belfry-kafka-").FullName;
        // Its end of the pipe closes with this process, however it ends; what reads the other end stops the brokers.
        var guard = Process.Start(new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "cat >/dev/null; \"$1\" stop \"$2\"; rm -rf \"$2\"", "guard", script, folder },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string[] words =
        [
            "start", folder, "--brokers", $"{brokers}", "--port", $"{port ?? KafkaBroker.FreePorts(brokers)}",
            .. Settings.Concat(settings ?? []).SelectMany(setting => (string[])["--set", setting]),
        ];
        var start = new ProcessStartInfo(script, words) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Brokers of minutes start sooner when their code is not compiled twice.
        start.Environment["KAFKA_TIER"] = "1";
        start.Environment["KAFKA_HEAP"] = "320m";
        using var starting = Process.Start(start)!;
        if (await starting.StandardOutput.ReadLineAsync() is { Length: > 0 } bootstrap)
            return new KafkaCluster(script, folder, guard, bootstrap);
        guard.StandardInput.Close();
        throw new InvalidOperationException($"{script} did not start: {await starting.StandardError.ReadToEndAsync()}");
    }

    /// <summary>SIGSTOP: it neither answers nor goes.</summary>
    public Task FreezeAsync(int broker) => RunAsync("pause", broker);

    public Task ThawAsync(int broker) => RunAsync("resume", broker);

    /// <summary>SIGKILL.</summary>
    public Task KillAsync(int broker) => RunAsync("kill", broker);

    /// <summary>Starts one that was killed.</summary>
    public Task StartAgainAsync(int broker) => RunAsync("up", broker);

    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync();
        _guard.Dispose();
    }

    private async Task RunAsync(string verb, int broker)
    {
        using var process = Process.Start(_script, [verb, _folder, $"{broker}"]);
        await process.WaitForExitAsync();
        process.ExitCode.ShouldBe(0, $"kafka {verb} {broker}");
    }
}
