using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Belfry.Bench.Accept;

/// <summary>The real program, from the build beside this one, on any free port.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly Process _process;

    private ServerProcess(Process process, JsonNode ready)
    {
        _process = process;
        Url = new Uri(ready["url"]!.GetValue<string>());
        DemoKey = ready["integrationKey"]!.GetValue<string>();
        Api = new HttpClient { BaseAddress = Url };
        Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ready["adminToken"]!.GetValue<string>());
    }

    public Uri Url { get; }
    public string DemoKey { get; }

    /// <summary>Speaks as the administrator.</summary>
    public HttpClient Api { get; }

    public static async Task<ServerProcess> StartAsync(string data, IReadOnlyList<string> more, CancellationToken cancel)
    {
        Directory.CreateDirectory(data);
        var readyFile = Path.Combine(data, "ready.json");
        var build = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        var dll = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Belfry.Server", build, "belfry-server.dll"));
        // What it says goes to this program's errors: the figures alone are on the standard output.
        string[] arguments =
        [
            "-c", "exec \"$0\" \"$@\" 1>&2", "dotnet", dll, "--data", data, "--urls", "http://127.0.0.1:0",
            "--ready-file", readyFile, .. more,
        ];
        var process = Process.Start("/bin/sh", arguments);
        try
        {
            var started = Stopwatch.GetTimestamp();
            while (!File.Exists(readyFile))
            {
                if (process.HasExited)
                    throw new InvalidOperationException($"'{dll}' ended with {process.ExitCode}; build src/Belfry.Server first.");
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

    public async Task KillAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Api.Dispose();
        _process.Dispose();
    }
}
