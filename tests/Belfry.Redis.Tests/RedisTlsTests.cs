using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Belfry.Deliveries;
using StackExchange.Redis;

namespace Belfry.Redis.Tests;

/// <summary>A Redis that speaks TLS only, with a certificate that this machine does not trust.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisTlsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("belfry-redis-tls-");

    public void Dispose() => _folder.Delete(recursive: true);

    [OwnRedisFact]
    public async Task A_certificate_that_is_not_trusted_is_unavailable()
    {
        await using var server = await StartAsync();
        await using var claims = await OutageRig.OpenAsync(Options(server));
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
        (await claims.CompleteAsync("k", "a", default)).ShouldBeFalse();
    }

    [OwnRedisFact]
    public async Task With_a_certificate_that_is_trusted_tls_is_spoken()
    {
        await using var server = await StartAsync();
        var configuration = Options(server).ToConfiguration();

        // The name must be right; only who signed it is unknown here.
        configuration.CertificateValidation += (_, _, _, errors) => errors == SslPolicyErrors.RemoteCertificateChainErrors;
        using var client = await ConnectionMultiplexer.ConnectAsync(configuration);
        await Eventually.TrueAsync(() => Task.FromResult(client.IsConnected));
        (await client.GetDatabase().StringSetAsync("k", "v")).ShouldBeTrue();
    }

    private static RedisOptions Options(RedisServer server) =>
        OutageRig.Options($"{server.Configuration},sslHost=localhost") with { Tls = true, ConnectTimeout = TimeSpan.FromSeconds(10) };

    private async Task<RedisServer> StartAsync()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        var (certificateFile, keyFile) = (Path.Combine(_folder.FullName, "tls.crt"), Path.Combine(_folder.FullName, "tls.key"));
        await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem());
        var port = RedisServer.FreePort();
        return await RedisServer.StartAsync(
            port, "--port", "0", "--tls-port", $"{port}", "--tls-cert-file", certificateFile, "--tls-key-file", keyFile,
            "--tls-ca-cert-file", certificateFile, "--tls-auth-clients", "no");
    }
}
