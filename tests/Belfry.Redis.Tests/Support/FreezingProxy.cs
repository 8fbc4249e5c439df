using System.Net;
using System.Net.Sockets;

namespace Belfry.Redis.Tests;

/// <summary>
/// Stands before a server. After <see cref="Freeze"/> the connections made so far stay open and carry nothing, as when a firewall has
/// forgotten them; new ones work.
/// </summary>
internal sealed class FreezingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<TcpClient> _clients = [];
    private readonly int _serverPort;
    private readonly Task _accepting;
    private CancellationTokenSource _era = new();

    public FreezingProxy(int serverPort)
    {
        _serverPort = serverPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Configuration => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public void Freeze()
    {
        lock (_lock)
        {
            _era.Cancel();
            _era = new CancellationTokenSource();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Freeze();
        _listener.Stop();
        await _accepting;
        lock (_lock) _clients.ForEach(client => client.Dispose());
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                var server = new TcpClient();
                CancellationToken era;
                lock (_lock)
                {
                    _clients.AddRange([client, server]);
                    era = _era.Token;
                }

                await server.ConnectAsync(IPAddress.Loopback, _serverPort, _stop.Token);
                _ = PumpAsync(client, server, era);
                _ = PumpAsync(server, client, era);
            }
        }
        catch (Exception end) when (end is OperationCanceledException or SocketException)
        {
            // Stopped, or the server is gone.
        }
    }

    private static async Task PumpAsync(TcpClient from, TcpClient to, CancellationToken era)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream(), era);
            to.Client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception end) when (end is OperationCanceledException or IOException or ObjectDisposedException or SocketException)
        {
            // Frozen, or one side has gone.
        }
    }
}
