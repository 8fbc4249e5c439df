using System.Text.Json.Nodes;

namespace Belfry.Local.Instances;

/// <summary>
/// Instances that live and die together: the first starts alone, for it brings the tables and the demo's data up to date, the others beside
/// one another; when one ends, all are ended, and none is started again.
/// </summary>
internal sealed class InstanceSet(RunOptions options, IReadOnlyDictionary<string, string> environment, TimeProvider time) : IDisposable
{
    // More than the server takes to drain at most.
    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(15);
    private readonly List<Instance> _instances = [];

    /// <summary>Runs them until told to stop, or until one ends. Its status: of the one that ended by itself, else the worst.</summary>
    /// <param name="ready">Called once with what to tell, when all serve.</param>
    /// <param name="stop">Ends them in order.</param>
    /// <param name="hurry">Ends them at once.</param>
    public async Task<int> RunAsync(Action<JsonObject> ready, CancellationToken stop, CancellationToken hurry)
    {
        int? status = null;
        try
        {
            if (await StartAsync(stop) is { } told) ready(told);
            await Task.WhenAny(_instances.Select(instance => instance.Ended)).WaitAsync(stop);
            status = await _instances.First(instance => instance.Ended.IsCompleted).Ended;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop, maybe while they start.
        }
        finally
        {
            await StopAsync(hurry);
        }

        return status ?? (await Task.WhenAll(_instances.Select(instance => instance.Ended))).DefaultIfEmpty(0).Max();
    }

    public void Dispose()
    {
        foreach (var instance in _instances) instance.Dispose();
    }

    /// <summary>What the first tells, and the addresses of all; null: one has ended.</summary>
    private async Task<JsonObject?> StartAsync(CancellationToken cancel)
    {
        if (await Start(1, options.BaseUrl, options.Demo).ReadyAsync(cancel) is not { } told) return null;
        var url = told["url"]!.GetValue<string>();
        var others = Enumerable.Range(2, options.Instances - 1)
            .Select(number => Start(number, options.BaseUrl ?? url, demo: false)).ToList();
        var all = new JsonArray(Entry(_instances[0], told));
        foreach (var other in others)
        {
            var either = await Task.WhenAny(other.ReadyAsync(cancel), AnyEndedAsync());
            if (await either is not { } its) return null;
            all.Add(Entry(other, its));
        }

        told["instances"] = all;
        return told;
    }

    private Instance Start(int number, string? baseUrl, bool demo)
    {
        var data = options.DataOf(number);
        string[] arguments =
        [
            "--shape", "clustered", "--data", data, "--urls", options.UrlsOf(number), "--keys", options.KeysDir,
            .. Option("--config", options.ConfigFile), .. Option("--mail-folder", options.MailFolder), .. Option("--base-url", baseUrl),
            $"--demo={(demo ? "true" : "false")}", .. options.Others,
        ];
        Directory.CreateDirectory(options.DataDir);
        var instance = Instance.Start(
            number, arguments, environment, Path.Combine(options.DataDir, $"ready-{number}.json"), time);
        _instances.Add(instance);
        return instance;
    }

    private async Task<JsonObject?> AnyEndedAsync()
    {
        await Task.WhenAny(_instances.Select(instance => instance.Ended));
        return null;
    }

    private async Task StopAsync(CancellationToken hurry)
    {
        foreach (var instance in _instances) instance.Stop(now: false);
        var all = Task.WhenAll(_instances.Select(instance => instance.Ended));
        try
        {
            await all.WaitAsync(DrainMax, time, hurry);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            foreach (var instance in _instances) instance.Stop(now: true);
            await all;
        }
    }

    private static string[] Option(string name, string? value) => value is null ? [] : [name, value];

    private static JsonObject Entry(Instance instance, JsonObject told) =>
        new() { ["url"] = told["url"]!.GetValue<string>(), ["pid"] = instance.ProcessId };
}
