using System.Net;
using System.Net.Sockets;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A port of this machine behind which, once opened, stands another server: one that is away until then.</summary>
internal sealed class Forwarder : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private TcpListener? _listener;
    private Task _accepting = Task.CompletedTask;

    public int Port { get; } = ChildProgram.FreePort();

    public void Open(string host, int port)
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _accepting = AcceptAsync(_listener, host, port);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _accepting;
        _listener?.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener, string host, int port)
    {
        var pumps = new List<Task>();
        try
        {
            while (true) pumps.Add(PumpAsync(await listener.AcceptTcpClientAsync(_end.Token), host, port));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(pumps);
        }
    }

    private async Task PumpAsync(TcpClient client, string host, int port)
    {
        using (client)
        using (var server = new TcpClient())
        {
            try
            {
                await server.ConnectAsync(host, port, _end.Token);
                await Task.WhenAny(
                    client.GetStream().CopyToAsync(server.GetStream(), _end.Token),
                    server.GetStream().CopyToAsync(client.GetStream(), _end.Token));
            }
            catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException)
            {
                // Either side has gone, and the other is told by the end of its connection.
            }
        }
    }
}
