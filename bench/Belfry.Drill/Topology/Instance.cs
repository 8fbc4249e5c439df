using Belfry.Rig;

namespace Belfry.Drill.Topology;

/// <summary>One instance of the program, which comes back on the same port after each end. API and workers are in one process.</summary>
internal sealed class Instance(Children children, int number, int port, ServerStart start, CancellationToken cancel)
{
    private const int StartsMax = 5;
    private ServerProcess? _server;
    private volatile int _incarnation = -1;
    private volatile bool _isUp;

    public int Number => number;

    public string Name => $"n{number}";

    /// <summary>With which start it is, as histories name it.</summary>
    public string NodeName => $"n{number}/{_incarnation}";

    public Uri Url { get; } = new($"http://127.0.0.1:{port}");

    /// <returns>The administrator's token, when it was started with demo data; else empty.</returns>
    public async Task<string> UpAsync(params string[] more)
    {
        var how = start with { Port = port, More = [.. start.More ?? [], .. more] };
        for (var times = 1; ; times++)
        {
            try
            {
                _server = await ServerProcess.StartAsync(how, cancel, pid => children.Add(Name, pid));
                break;
            }
            catch (InvalidOperationException) when (times < StartsMax)
            {
                // It ended, as it does when brokers or database are not there in time; a supervisor starts it again.
            }
        }

        Interlocked.Increment(ref _incarnation);
        _isUp = true;
        return _server.Token;
    }

    public async Task KillAsync()
    {
        _isUp = false;
        await _server!.KillAsync();
        children.Remove(Name);
    }

    /// <summary>SIGTERM: it drains and leaves.</summary>
    public async Task StopAsync()
    {
        _isUp = false;
        await _server!.StopAsync();
        children.Remove(Name);
    }

    public void Freeze() => UnixSignal.Send(_server!.ProcessId, UnixSignal.Stop);

    public void Thaw() => UnixSignal.Send(_server!.ProcessId, UnixSignal.Continue);

    /// <summary>It serves, and nothing was done to end it.</summary>
    public bool IsUp => _isUp;

    /// <summary>Its exit code when it ended though nothing was done to end it; else null.</summary>
    public int? FellWith => _isUp && _server!.HasExited ? _server.ExitCode : null;
}
