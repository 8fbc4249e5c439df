using System.Net.Sockets;
using System.Text;

namespace Belfry.Bench.Accept;

/// <summary>One kept-alive connection with one request at a time; bare, since the sender shares the cores with what it measures.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[16 * 1024];

    private RawConnection(Socket socket) => _socket = socket;

    public static async Task<RawConnection> OpenAsync(Uri server, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server.Host, server.Port, cancel);
        return new RawConnection(socket);
    }

    /// <summary>Sends the request and reads the whole answer.</summary>
    /// <returns>The status.</returns>
    public async ValueTask<int> AskAsync(ReadOnlyMemory<byte> request, CancellationToken cancel)
    {
        while (request.Length > 0) request = request[await _socket.SendAsync(request, cancel)..];
        for (var read = 0; ;)
        {
            var count = await _socket.ReceiveAsync(_buffer.AsMemory(read), cancel);
            if (count == 0) throw new IOException("The server closed the connection in an answer.");
            read += count;
            if (IsWhole(_buffer.AsSpan(0, read)))
                return (_buffer[9] - '0') * 100 + (_buffer[10] - '0') * 10 + (_buffer[11] - '0');
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0) return false;
        var field = answer[..head].IndexOf("Content-Length: "u8);
        if (field < 0) throw new IOException($"An answer without a length: {Encoding.ASCII.GetString(answer[..head])}");
        var length = 0;
        for (var at = field + "Content-Length: "u8.Length; answer[at] is >= (byte)'0' and <= (byte)'9'; at++)
            length = length * 10 + answer[at] - '0';
        return answer.Length >= head + 4 + length;
    }
}
