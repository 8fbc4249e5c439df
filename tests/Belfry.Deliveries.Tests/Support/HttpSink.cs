using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Belfry.Deliveries.Tests.Support;

/// <summary>A web server on loopback that gives every request the same scripted bytes.</summary>
internal sealed class HttpSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private readonly Lock _lock = new();
    private readonly List<HttpHit> _hits = [];
    private int _connects;

    public HttpSink()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Allowed => $"127.0.0.1:{Port}";

    /// <summary>The raw answer; null: none, the connection stays open.</summary>
    public string? Answer { get; set; } = Status("204 No Content");

    /// <summary>Sent over and over after the answer.</summary>
    public string? Endless { get; set; }

    /// <summary>True: answers before anything is asked.</summary>
    public bool SpeaksFirst { get; set; }

    /// <summary>True: closes without a word once anything has come.</summary>
    public bool HangsUp { get; set; }

    /// <summary>Speaks TLS, and shows this; null: speaks no TLS.</summary>
    public X509Certificate2? Certificate { get; set; }

    public int Connects => Volatile.Read(ref _connects);

    public IReadOnlyList<HttpHit> Hits
    {
        get
        {
            lock (_lock) return [.. _hits];
        }
    }

    public static string Status(string line, string headers = "") =>
        $"HTTP/1.1 {line}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n";

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await _serving;
        _listener.Stop();
    }

    private async Task ServeAsync()
    {
        List<Task> clients = [];
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                Interlocked.Increment(ref _connects);
                clients.Add(AnswerAsync(client));
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                Stream stream = client.GetStream();
                if (Certificate is { } certificate)
                {
                    var tls = new SslStream(stream);
                    var shown = new SslServerAuthenticationOptions { ServerCertificate = certificate };
                    await tls.AuthenticateAsServerAsync(shown, _stop.Token);
                    stream = tls;
                }

                if (HangsUp)
                {
                    // All of the hello: what is left unread would make the close a reset.
                    await stream.ReadAtLeastAsync(new byte[64 * 1024], 1, throwOnEndOfStream: false, _stop.Token);
                    return;
                }

                if (!SpeaksFirst)
                {
                    if (await ReadAsync(stream) is not { } hit) return;
                    lock (_lock) _hits.Add(hit);
                }

                if (Answer is null) await Task.Delay(Timeout.Infinite, _stop.Token);
                await stream.WriteAsync(Encoding.ASCII.GetBytes(Answer!), _stop.Token);
                while (Endless is { } more) await stream.WriteAsync(Encoding.ASCII.GetBytes(more), _stop.Token);
            }
            catch (Exception gone)
                when (gone is IOException or OperationCanceledException or SocketException or AuthenticationException)
            {
                // The client left, or the test is over: nothing is owed to either.
            }
        }
    }

    private async Task<HttpHit?> ReadAsync(Stream stream)
    {
        var bytes = new MemoryStream();
        var buffer = new byte[4096];
        while (true)
        {
            var text = Encoding.Latin1.GetString(bytes.ToArray());
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                var lines = text[..end].Split("\r\n");
                var headers = lines.Skip(1).Select(l => l.Split(": ", 2))
                    .ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
                var length = int.Parse(headers.GetValueOrDefault("Content-Length", "0"));
                if (text.Length >= end + 4 + length) return new HttpHit(lines[0], headers, text.Substring(end + 4, length));
            }

            var count = await stream.ReadAsync(buffer, _stop.Token);
            if (count == 0) return null;
            bytes.Write(buffer, 0, count);
        }
    }
}

internal sealed record HttpHit(string Line, IReadOnlyDictionary<string, string> Headers, string Body);
