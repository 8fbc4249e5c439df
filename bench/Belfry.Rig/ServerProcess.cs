using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Belfry.Rig;

/// <summary>How a server is started.</summary>
/// <param name="Data">Its data folder; made when missing.</param>
/// <param name="Port">On loopback; 0: any.</param>
/// <param name="Output">A file for what it says; null: this program's errors, whose standard output is for figures alone.</param>
/// <param name="More">Further options.</param>
/// <param name="Settings">In its environment, such as <c>Belfry__Kafka__ClientId</c>.</param>
internal sealed record ServerStart(
    string Data, int Port = 0, string? Output = null, IReadOnlyList<string>? More = null,
    IReadOnlyDictionary<string, string>? Settings = null);

/// <summary>The real program, from the build beside this one.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan StopMax = TimeSpan.FromMinutes(1);
    private readonly Process _process;

    private ServerProcess(Process process, JsonNode ready)
    {
        _process = process;
        Url = new Uri(ready["url"]!.GetValue<string>());
        DemoKey = ready["integrationKey"]?.GetValue<string>() ?? "";
        Token = ready["adminToken"]?.GetValue<string>() ?? "";
        Api = new HttpClient(new PatientHandler()) { BaseAddress = Url };
        Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
    }

    public Uri Url { get; }

    /// <summary>Of a server that was started with demo data; else empty. Likewise the token.</summary>
    public string DemoKey { get; }
    public string Token { get; }

    /// <summary>Speaks as the administrator.</summary>
    public HttpClient Api { get; }
    public int ProcessId => _process.Id;
    public bool HasExited => _process.HasExited;

    /// <summary>Once it has exited; 128 and the signal when one ended it.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Returns once it serves.</summary>
    /// <param name="start">How.</param>
    /// <param name="cancel">Ends the wait, and the process.</param>
    /// <param name="began">Told its id at once.</param>
    public static async Task<ServerProcess> StartAsync(ServerStart start, CancellationToken cancel, Action<int>? began = null)
    {
        Directory.CreateDirectory(start.Data);
        var readyFile = Path.Combine(start.Data, "ready.json");
        File.Delete(readyFile);
        var build = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        var dll = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Belfry.Server", build, "belfry-server.dll"));
        var info = new ProcessStartInfo("/bin/sh",
        [
            "-c", start.Output is null ? "exec \"$@\" 1>&2" : "out=$1; shift; exec \"$@\" >>\"$out\" 2>&1", "belfry",
            .. start.Output is null ? [] : (string[])[start.Output],
            "dotnet", dll, "--data", start.Data, "--urls", $"http://127.0.0.1:{start.Port}", "--ready-file", readyFile, .. start.More ?? [],
        ]);
        foreach (var (name, value) in start.Settings ?? new Dictionary<string, string>()) info.Environment[name] = value;
        var process = Process.Start(info)!;
        began?.Invoke(process.Id);
        try
        {
            var started = Stopwatch.GetTimestamp();
            while (!File.Exists(readyFile))
            {
                if (process.HasExited)
                    throw new InvalidOperationException(
                        $"'{dll}' ended with {process.ExitCode}; build src/Belfry.Server first. {start.Output}");
                if (Stopwatch.GetElapsedTime(started) > Patience) throw new TimeoutException($"'{dll}' did not serve within {Patience}.");
                await Task.Delay(20, cancel);
            }

            return new ServerProcess(process, JsonNode.Parse(await File.ReadAllTextAsync(readyFile, cancel))!);
        }
        catch
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
            throw;
        }
    }

    /// <summary>SIGKILL; returns once it is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; killed when it has not ended within a minute.</summary>
    public async Task StopAsync()
    {
        if (!_process.HasExited) UnixSignal.Send(_process.Id, UnixSignal.Term);
        using var late = new CancellationTokenSource(StopMax);
        try
        {
            await _process.WaitForExitAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Api.Dispose();
        _process.Dispose();
    }
}
