using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A process this test started; it ends with the test, by its own id.</summary>
internal sealed partial class ChildProgram : IAsyncDisposable
{
    private readonly Process _process;
    private static readonly TimeSpan StopMax = TimeSpan.FromMinutes(1);
    private readonly StringBuilder _output = new();
    private int _disposed;

    public ChildProgram(string file, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public int Id => _process.Id;

    /// <summary>Completes when it ends by itself.</summary>
    public Task EndedAsync() => _process.WaitForExitAsync().WaitAsync(StopMax);

    public string Output
    {
        get { lock (_output) return _output.ToString(); }
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; how long it then took to end.</summary>
    public async Task<TimeSpan> TerminateAsync()
    {
        var started = Stopwatch.GetTimestamp();
        if (!_process.HasExited) SendSignal(_process.Id, 15).ShouldBe(0);
        await _process.WaitForExitAsync().WaitAsync(StopMax);
        return Stopwatch.GetElapsedTime(started);
    }

    /// <summary>May be repeated.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        await KillAsync();
        _process.Dispose();
    }

    /// <summary>
    /// A port that was free a moment ago, below those that systems give to outgoing connections, of which one could take it before the
    /// program does, or between two of its starts.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 20_000));
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }

    private void Note(string? line)
    {
        lock (_output)
            if (line is not null && _output.Length < 1 << 20) _output.AppendLine(line);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
