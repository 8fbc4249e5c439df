using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
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
    private const short UnsupportedMechanism = 33;
    private const int SignInBytesMax = 1 << 16;

    private readonly TcpClient _client;
    private readonly KafkaLogOptions _options;
    private readonly string _broker;
    private readonly List<X509Certificate2> _certificates = [];
    private Stream _stream = Stream.Null;
    private Step _step;
    private int _asked;

    private BrokerConnection(KafkaLogOptions options, string broker) =>
        (_client, _options, _broker) = (new TcpClient { NoDelay = true }, options, broker);

    /// <summary>What was read of the security settings' files; disposed of with this.</summary>
    internal IReadOnlyList<X509Certificate2> Certificates => _certificates;

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
                if (options.Security.Tls) await connection.EncryptAsync(host, limited);
                if (options.Security.Login != KafkaLogin.None) await connection.SignInAsync(limited);
                connection._step = Step.Asking;
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

    /// <param name="api">The request's key.</param>
    /// <param name="version">A flexible one.</param>
    /// <param name="body">Of the request.</param>
    /// <param name="bytesMax">Of the answer.</param>
    /// <param name="read">Takes the answer's body, or null when it is larger than may be, and its size.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="LogUnavailableException">Not answered within the request timeout, or <paramref name="read"/> made nothing of
    /// it.</exception>
    public Task<T> AskAsync<T>(
        short api, short version, byte[] body, int bytesMax, Func<byte[]?, int, T> read, CancellationToken cancel) =>
        LimitedAsync(async limited =>
        {
            var (answer, bytes) = await ExchangeAsync(api, version, body, bytesMax, isFlexible: true, limited);
            return read(answer, bytes);
        }, cancel);

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _client.Dispose();
        foreach (var certificate in _certificates) certificate.Dispose();
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

    private async Task EncryptAsync(string host, CancellationToken cancel)
    {
        _step = Step.ReadingFiles;
        var settings = TlsSettings(host);
        _step = Step.Encrypting;
        var encrypted = new SslStream(_stream);
        _stream = encrypted;
        await encrypted.AuthenticateAsClientAsync(settings, cancel);
    }

    private SslClientAuthenticationOptions TlsSettings(string host)
    {
        var security = _options.Security;
        var settings = new SslClientAuthenticationOptions { TargetHost = host };
        if (security.CaFile is { } authorities)
        {
            settings.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck,
            };
            var trusted = settings.CertificateChainPolicy.CustomTrustStore;
            trusted.ImportFromPemFile(authorities);
            _certificates.AddRange(trusted);
            if (trusted.Count == 0) throw new InvalidDataException($"'{authorities}' holds no certificate in PEM");
        }

        if (security is not { CertificateFile: { } file, KeyFile: { } keyFile }) return settings;
        var (pem, key) = (File.ReadAllText(file), File.ReadAllText(keyFile));
        // As the native client has it, the password of a key that is not encrypted is of no interest.
        var certificate = security.KeyPassword is { } password && key.Contains("ENCRYPTED", StringComparison.Ordinal)
            ? X509Certificate2.CreateFromEncryptedPem(pem, key, password)
            : X509Certificate2.CreateFromPem(pem, key);
        _certificates.Add(certificate);
        // The broker need not know the authorities between the certificate and the one that it trusts: the file brings them along.
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(pem);
        _certificates.AddRange(chain);
        settings.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        return settings;
    }

    private async Task SignInAsync(CancellationToken cancel)
    {
        _step = Step.SigningIn;
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
        Offers(name, new WireReader(shaken ?? throw new AuthenticationException("its answer is too long")));
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

    private static void Offers(string mechanism, WireReader wire)
    {
        var error = wire.Int16();
        if (error == 0) return;
        if (error != UnsupportedMechanism) throw new AuthenticationException($"nobody signs in at this port ({error})");
        var offered = new List<string?>();
        for (var mechanisms = wire.Int32(); mechanisms > 0; mechanisms--) offered.Add(wire.Text());
        throw new AuthenticationException($"it does not offer {mechanism} but {string.Join(", ", offered)}");
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
            or FormatException or CryptographicException or UnauthorizedAccessException
            || (fault is ArgumentException && _step == Step.ReadingFiles))
        {
            throw new LogUnavailableException($"Broker {_broker}: {Reason(fault)}.", fault);
        }
    }

    /// <summary>What the faults of sockets and of TLS do not tell: what was being done, and what to look at.</summary>
    private string Reason(Exception fault)
    {
        // Those of TLS refer to the one within.
        var reason = fault.GetBaseException().Message.TrimEnd('.');
        var security = _options.Security;
        var signsIn = security.Login != KafkaLogin.None;
        return _step switch
        {
            Step.ReadingFiles => $"the files of the security settings cannot be used: {reason}",
            Step.Encrypting when fault is IOException => $"it hung up: {reason}: this port may not speak TLS",
            Step.Encrypting => $"TLS failed: {reason}{ConnectionHints.For(reason, security.Tls, signsIn)}",
            Step.SigningIn when fault is EndOfStreamException && !security.Tls => $"it hung up: {reason}: this port may want TLS",
            Step.SigningIn => $"signing in failed: {reason}{ConnectionHints.For(reason, security.Tls, signsIn)}",
            Step.Asking when fault is EndOfStreamException && !signsIn =>
                $"it hung up: {reason}: {(security.Tls ? "" : "this port may want TLS, or ")}the broker may want a sign-in",
            _ => reason + ConnectionHints.For(reason, security.Tls, signsIn),
        };
    }

    private enum Step
    {
        Connecting,
        ReadingFiles,
        Encrypting,
        SigningIn,
        Asking,
    }
}
