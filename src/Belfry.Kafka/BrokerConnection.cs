using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Belfry.Log;

namespace Belfry.Kafka;

/// <summary>
/// One connection to one broker, for the few requests that the client has no call for; one at a time, flexible versions only. Encrypts and
/// signs in as the options say. Source: Apache Kafka's protocol guide.
/// </summary>
internal sealed class BrokerConnection : IAsyncDisposable
{
    private const short SaslHandshake = 17;
    private const short SaslAuthenticate = 36;
    private const int SignInBytesMax = 1 << 16;

    private readonly TcpClient _client;
    private readonly KafkaLogOptions _options;
    private readonly string _broker;
    private Stream _stream = Stream.Null;
    private int _asked;

    private BrokerConnection(KafkaLogOptions options, string broker) =>
        (_client, _options, _broker) = (new TcpClient { NoDelay = true }, options, broker);

    /// <exception cref="LogUnavailableException">Not reached within the request timeout, or refused.</exception>
    public static async Task<BrokerConnection> OpenAsync(KafkaLogOptions options, string host, int port, CancellationToken cancel)
    {
        var connection = new BrokerConnection(options, $"{host}:{port}");
        try
        {
            await connection.LimitedAsync(async limited =>
            {
                await connection._client.ConnectAsync(host, port, limited);
                connection._stream = connection._client.GetStream();
                if (options.Security.Tls) connection._stream = await connection.EncryptAsync(host, limited);
                if (options.Security.Login != KafkaLogin.None) await connection.SignInAsync(limited);
                return true;
            }, cancel);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>The answer's body, or null when it is larger than may be; and its size.</summary>
    /// <exception cref="LogUnavailableException">Not answered within the request timeout.</exception>
    public Task<(byte[]? Body, int Bytes)> AskAsync(short api, short version, byte[] body, int bytesMax, CancellationToken cancel) =>
        LimitedAsync(limited => ExchangeAsync(api, version, body, bytesMax, isFlexible: true, limited), cancel);

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _client.Dispose();
    }

    private async Task<(byte[]? Body, int Bytes)> ExchangeAsync(
        short api, short version, byte[] body, int bytesMax, bool isFlexible, CancellationToken cancel)
    {
        var id = ++_asked;
        var wire = new WireWriter();
        wire.Int16(api);
        wire.Int16(version);
        wire.Int32(id);
        wire.Text(_options.ClientId);
        if (isFlexible) wire.NoTags();
        wire.Bytes(body);
        await _stream.WriteAsync(wire.ToFrame(), cancel);
        await _stream.FlushAsync(cancel);

        var head = new byte[8];
        await _stream.ReadExactlyAsync(head, cancel);
        var size = BinaryPrimitives.ReadInt32BigEndian(head) - 4;
        if (size < 0 || BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) != id)
            throw new InvalidDataException("what came is no answer to what was asked");
        if (size > bytesMax) return (null, size);
        var answer = new byte[size];
        await _stream.ReadExactlyAsync(answer, cancel);
        if (!isFlexible) return (answer, size);
        var reader = new WireReader(answer);
        reader.SkipTags();
        return (answer[reader.At..], size);
    }

    private async Task<SslStream> EncryptAsync(string host, CancellationToken cancel)
    {
        var security = _options.Security;
        var encrypted = new SslStream(_stream);
        var settings = new SslClientAuthenticationOptions { TargetHost = host };
        if (security.CaFile is { } authorities)
        {
            settings.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck,
            };
            settings.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(authorities);
        }

        if (security is { CertificateFile: { } certificate, KeyFile: { } key })
            settings.ClientCertificates = [security.KeyPassword is { } password
                ? X509Certificate2.CreateFromEncryptedPemFile(certificate, password, key)
                : X509Certificate2.CreateFromPemFile(certificate, key)];
        await encrypted.AuthenticateAsClientAsync(settings, cancel);
        return encrypted;
    }

    private async Task SignInAsync(CancellationToken cancel)
    {
        var security = _options.Security;
        var (name, login) = security.Login switch
        {
            KafkaLogin.Plain => ("PLAIN", (ISaslLogin)new PlainLogin(security.User!, security.Password!)),
            KafkaLogin.ScramSha256 => ("SCRAM-SHA-256", ScramLogin.Sha256(security.User!, security.Password!)),
            _ => ("SCRAM-SHA-512", ScramLogin.Sha512(security.User!, security.Password!)),
        };
        var wire = new WireWriter();
        wire.Text(name);
        var (shaken, _) = await ExchangeAsync(SaslHandshake, 1, wire.ToArray(), SignInBytesMax, isFlexible: false, cancel);
        if (shaken is null || new WireReader(shaken).Int16() is not 0)
            throw new AuthenticationException($"it does not offer {name}");
        for (byte[]? said = null; login.Next(said) is { } say;)
        {
            wire = new WireWriter();
            wire.Int32(say.Length);
            wire.Bytes(say);
            var (answer, _) = await ExchangeAsync(SaslAuthenticate, 0, wire.ToArray(), SignInBytesMax, isFlexible: false, cancel);
            var reader = new WireReader(answer ?? throw new AuthenticationException("its answer is too long"));
            if (reader.Int16() is not 0 and var error) throw new AuthenticationException($"{reader.Text() ?? "refused"} ({error})");
            reader.Text();
            said = reader.Bytes();
        }
    }

    private async Task<T> LimitedAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(_options.RequestTimeout);
        try
        {
            return await work(limit.Token);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw new LogUnavailableException($"Broker {_broker} did not answer within {_options.RequestTimeout}.", fault);
        }
        catch (Exception fault) when (fault is IOException or SocketException or AuthenticationException or InvalidDataException
            or FormatException)
        {
            throw new LogUnavailableException($"Broker {_broker}: {fault.Message}.", fault);
        }
    }
}
