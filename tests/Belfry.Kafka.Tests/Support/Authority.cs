using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Belfry.Kafka.Tests;

/// <summary>Signs certificates of two days, and writes them as PEM files.</summary>
internal sealed class Authority : IDisposable
{
    private static readonly PbeParameters KeyEncryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 2_048);

    private readonly string _folder;
    private readonly string _name;
    private readonly X509Certificate2 _certificate;
    private readonly string? _chain;

    private Authority(string folder, string name, X509Certificate2 certificate, string? chain)
    {
        (_folder, _name, _certificate, _chain) = (folder, name, certificate, chain);
        CaFile = Write("ca.pem", certificate.ExportCertificatePem());
    }

    /// <summary>Its own certificate.</summary>
    public string CaFile { get; }

    /// <summary>One that signs for itself.</summary>
    public static Authority Root(string folder, string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        return new Authority(folder, name, Request(name, key, mayDelegate: true).CreateSelfSigned(now.AddDays(-1), now.AddDays(1)), null);
    }

    /// <summary>One that this one vouches for; what it issues brings its certificate along.</summary>
    public Authority Delegate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signed = Sign(Request(name, key, mayDelegate: true));
        return new Authority(_folder, name, signed.CopyWithPrivateKey(key), signed.ExportCertificatePem());
    }

    /// <summary>A certificate for these hosts, or for a client without any; the files of it with its chain, and of its key.</summary>
    /// <param name="name">Of the files.</param>
    /// <param name="keyPassword">Encrypts the key's file.</param>
    /// <param name="hosts">Names and addresses.</param>
    public (string CertificateFile, string KeyFile) Issue(string name, string? keyPassword, params string[] hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = Request(name, key, mayDelegate: false);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
            else names.AddDnsName(host);
        }

        if (hosts.Length > 0) request.CertificateExtensions.Add(names.Build());
        using var certificate = Sign(request);
        return (Write($"{name}.pem", certificate.ExportCertificatePem() + "\n" + _chain),
            Write($"{name}.key", keyPassword is null
                ? key.ExportPkcs8PrivateKeyPem() : key.ExportEncryptedPkcs8PrivateKeyPem(keyPassword, KeyEncryption)));
    }

    public void Dispose() => _certificate.Dispose();

    private static CertificateRequest Request(string name, ECDsa key, bool mayDelegate)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(mayDelegate, false, 0, true));
        return request;
    }

    private X509Certificate2 Sign(CertificateRequest request) =>
        request.Create(_certificate, _certificate.NotBefore, _certificate.NotAfter, RandomNumberGenerator.GetBytes(8));

    private string Write(string name, string text)
    {
        var file = Path.Combine(_folder, $"{_name}-{name}");
        File.WriteAllText(file, text);
        return file;
    }
}
