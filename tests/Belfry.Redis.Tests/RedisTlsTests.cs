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

    [OwnRedisFact]
    public async Task With_the_file_of_its_authority_tls_is_spoken_and_the_file_is_read_again_for_each_connection()
    {
        await using var server = await StartAsync();
        var file = Path.Combine(_folder.FullName, "ca.pem");
        File.Copy(CertificateFile, file);
        var options = Options(server) with { CaFile = file };
        options.Validate();
        await using (var claims = await OutageRig.OpenAsync(options)) await claims.ClaimsAgainAsync();

        File.Copy(Write("another").CertificateFile, file, overwrite: true);
        await IsRefusedAsync(options);
    }

    [OwnRedisFact]
    public async Task With_the_file_of_another_authority_or_for_another_host_it_is_unavailable()
    {
        await using var server = await StartAsync();
        await IsRefusedAsync(Options(server) with { CaFile = Write("another").CertificateFile });
        await IsRefusedAsync(Options(server, "elsewhere.example") with { CaFile = CertificateFile });
    }

    private string CertificateFile => Path.Combine(_folder.FullName, "tls.crt");

    private static async Task IsRefusedAsync(RedisOptions options)
    {
        options.Validate();
        await using var claims = await OutageRig.OpenAsync(options);
        (await claims.ClaimAsync("k")).ShouldBe(FastClaim.Unavailable);
    }

    private static RedisOptions Options(RedisServer server, string host = "localhost") =>
        OutageRig.Options($"{server.Configuration},sslHost={host}") with { Tls = true, ConnectTimeout = TimeSpan.FromSeconds(10) };

    private async Task<RedisServer> StartAsync()
    {
        var (certificateFile, keyFile) = Write("tls");
        var port = RedisServer.FreePort();
        return await RedisServer.StartAsync(
            port, "--port", "0", "--tls-port", $"{port}", "--tls-cert-file", certificateFile, "--tls-key-file", keyFile,
            "--tls-ca-cert-file", certificateFile, "--tls-auth-clients", "no");
    }

    /// <summary>A certificate for localhost that vouches for itself; the files of it, and of its key.</summary>
    private (string CertificateFile, string KeyFile) Write(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        var (certificateFile, keyFile) = (Path.Combine(_folder.FullName, $"{name}.crt"), Path.Combine(_folder.FullName, $"{name}.key"));
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return (certificateFile, keyFile);
    }
}
