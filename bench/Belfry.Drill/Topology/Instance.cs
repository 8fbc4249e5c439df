using Belfry.Rig;

namespace Belfry.Drill.Topology;

/// <summary>One instance of the program, which comes back on the same port after each end. API and workers are in one process.</summary>
internal sealed class Instance(Children children, int number, int port, ServerStart start, CancellationToken cancel)
{
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
        _server = await ServerProcess.StartAsync(
            start with { Port = port, More = [.. start.More ?? [], .. more] }, cancel, pid => children.Add(Name, pid));
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

    /// <summary>It ended though nothing was done to end it.</summary>
    public bool HasFallen => _isUp && _server!.HasExited;
}
