using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Belfry.Local.Instances;

/// <summary>One process of the server. Its lines come out here, each with its number before it.</summary>
internal sealed class Instance : IDisposable
{
    private const int Sigkill = 9;
    private const int Sigterm = 15;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);
    private readonly Process _process;
    private readonly string _readyFile;
    private readonly TimeProvider _time;

    private Instance(int number, Process process, string readyFile, TimeProvider time)
    {
        (Number, _process, _readyFile, _time) = (number, process, readyFile, time);
        Ended = EndAsync();
    }

    /// <summary>From 1.</summary>
    public int Number { get; }

    public int ProcessId => _process.Id;

    /// <summary>Completes with its status.</summary>
    public Task<int> Ended { get; }

    /// <param name="number">From 1.</param>
    /// <param name="arguments">The server's options, without <c>--ready-file</c>.</param>
    /// <param name="environment">What is set besides our own environment.</param>
    /// <param name="readyFile">Read when it serves, and removed: it may hold secrets.</param>
    /// <param name="time">For waiting.</param>
    public static Instance Start(
        int number, IReadOnlyList<string> arguments, IEnumerable<KeyValuePair<string, string>> environment, string readyFile,
        TimeProvider time)
    {
        File.Delete(readyFile);
        string[] words = [ServerDll, .. arguments, "--ready-file", readyFile];
        var start = new ProcessStartInfo(Environment.ProcessPath!, words) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Under `dotnet belfry-local.dll` that path is dotnet itself; our own launcher is not.
        if (Path.GetFileNameWithoutExtension(start.FileName) != "dotnet") start.FileName = "dotnet";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.OutputDataReceived += (_, line) => Say(Console.Out, number, line.Data);
        process.ErrorDataReceived += (_, line) => Say(Console.Error, number, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new Instance(number, process, readyFile, time);
    }

    /// <summary>What it says once it serves; null: it has ended instead.</summary>
    public async Task<JsonObject?> ReadyAsync(CancellationToken cancel)
    {
        while (!File.Exists(_readyFile))
        {
            if (Ended.IsCompleted) return null;
            await Task.Delay(LookAgain, _time, cancel);
        }

        var text = await File.ReadAllTextAsync(_readyFile, cancel);
        File.Delete(_readyFile);
        return JsonNode.Parse(text) as JsonObject ?? throw new JsonException($"Instance {Number} says '{text}' of itself.");
    }

    /// <summary>Asks it to end; at once if need be.</summary>
    public void Stop(bool now)
    {
        // Its id is its own until it has been waited for.
        if (!Ended.IsCompleted && SendSignal(_process.Id, now ? Sigkill : Sigterm) != 0 && !_process.HasExited)
            throw new InvalidOperationException($"Instance {Number}, process {_process.Id}, takes no signal.");
    }

    public void Dispose()
    {
        // It may have been written when nobody waited for it any more.
        File.Delete(_readyFile);
        _process.Dispose();
    }

    private static string ServerDll
    {
        get
        {
            var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
            var beside = Path.Combine(AppContext.BaseDirectory, "belfry-server.dll");
            return File.Exists(beside)
                ? beside
                : Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Belfry.Server", configuration, "belfry-server.dll"));
        }
    }

    private async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    private static void Say(TextWriter to, int number, string? line)
    {
        if (line is not null) to.WriteLine(line.Length == 0 ? "" : $"{number}| {line}");
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);
}
