using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Belfry.Redis;

/// <summary>
/// Trusts the authorities of a file and no others. The client has no setting for that, only a question whether a certificate will do. The
/// file is read at each connection, so that one with a further authority needs no restart. Any thread.
/// </summary>
internal sealed class RedisAuthorities(string file)
{
    /// <summary>Null, or what is wrong with the file.</summary>
    public string? Fault()
    {
        try
        {
            using var read = new Certificates(file);
            return read.All.Count > 0 ? null : $"CaFile is '{file}', which holds no certificate in PEM";
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return $"CaFile is '{file}', which cannot be read: {fault.Message.TrimEnd('.')}";
        }
    }

    /// <summary>Whether one of them vouches for the certificate, and it is for the host that was asked for.</summary>
    /// <exception cref="CryptographicException">The file is no longer what it was: the connection fails. So with the next two.</exception>
    /// <exception cref="IOException">It is gone.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read any more.</exception>
    public bool Accept(X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors)
    {
        if (certificate is null || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != 0) return false;
        using var trusted = new Certificates(file);
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(ServerAuthentication);
        chain.ChainPolicy.CustomTrustStore.AddRange(trusted.All);
        // Those between, which the server sends along.
        if (sent is not null) chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        using var own = new X509Certificate2(certificate);
        var accepted = chain.Build(own);
        foreach (var element in chain.ChainElements) element.Certificate.Dispose();
        return accepted;
    }

    private static Oid ServerAuthentication { get; } = new("1.3.6.1.5.5.7.3.1");

    private sealed class Certificates : IDisposable
    {
        public Certificates(string file) => All.ImportFromPemFile(file);

        public X509Certificate2Collection All { get; } = [];

        public void Dispose()
        {
            foreach (var one in All) one.Dispose();
        }
    }
}
