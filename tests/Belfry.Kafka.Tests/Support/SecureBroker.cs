using System.Collections.Concurrent;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka.Tests;

/// <summary>
/// One broker that asks for encryption and identity in all the ways that the driver has, at a port each, started by the first test that
/// needs it.
/// </summary>
public sealed class SecureBroker : IAsyncLifetime
{
    // What messages, properties and JAAS lines give a meaning of their own. Kafka takes no SCRAM user but of ASCII.
    internal const string User = "a=b, c";
    internal const string UserOfPlain = "Jörg, a=b";
    internal const string Password = "p,w=ö€ 1";
    internal const string KeyPassword = "key,w=ö 2";

    private const string JaasModules = "org.apache.kafka.common.security";

    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-kafka-tls-").FullName;
    private readonly Lazy<Task<KafkaCluster>> _started;
    private readonly ConcurrentDictionary<string, Task> _runs = new(StringComparer.Ordinal);
    private int _port;

    public SecureBroker() => _started = new Lazy<Task<KafkaCluster>>(StartAsync);

    /// <summary>Neither encrypted nor signed in to.</summary>
    internal string Open => $"127.0.0.1:{_port}";

    /// <summary>Encrypted.</summary>
    internal string Tls => $"localhost:{_port + 1}";

    /// <summary>Encrypted, and wants a certificate; goes by its address.</summary>
    internal string MutualTls => $"127.0.0.1:{_port + 2}";

    /// <summary>Encrypted, and signed in to by PLAIN or SCRAM.</summary>
    internal string SignInOverTls => $"localhost:{_port + 3}";

    /// <summary>Signed in to by SCRAM with SHA-256 only, not encrypted.</summary>
    internal string SignIn => $"127.0.0.1:{_port + 4}";

    /// <summary>Encrypted, with a certificate for another host.</summary>
    internal string Misnamed => $"localhost:{_port + 5}";

    /// <summary>Signed all of them.</summary>
    internal string CaFile { get; private set; } = "";

    /// <summary>Signed none of them.</summary>
    internal string StrangersCaFile { get; private set; } = "";

    internal (string CertificateFile, string KeyFile) Client { get; private set; }

    /// <summary>Its key is encrypted by <see cref="KeyPassword"/>.</summary>
    internal (string CertificateFile, string KeyFile) ClientOfLockedKey { get; private set; }

    /// <summary>Signed by an authority between, whose certificate its file brings along.</summary>
    internal (string CertificateFile, string KeyFile) ClientByDelegate { get; private set; }

    internal (string CertificateFile, string KeyFile) Stranger { get; private set; }

    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>Skips the test where no broker can be started.</summary>
    internal Task NeedAsync()
    {
        KafkaBroker.ScriptOrSkip();
        return _started.Value;
    }

    /// <summary>A file with this text.</summary>
    internal string Write(string name, string text)
    {
        var file = Path.Combine(_folder, name);
        File.WriteAllText(file, text);
        return file;
    }

    /// <summary>
    /// Runs one of a theory's cases, and with the first of them all the others beside it: they mostly wait, and the tests of a class run
    /// one after the other.
    /// </summary>
    internal Task SideBySideAsync(IEnumerable<string> all, string one, Func<string, Task> run)
    {
        if (!_runs.ContainsKey(one))
            foreach (var each in all) _runs[each] = Task.Run(() => run(each));
        return _runs[one];
    }

    public async Task DisposeAsync()
    {
        // Those whose tests were not asked for.
        await Task.WhenAll(_runs.Values.Select(run => run.ContinueWith(static _ => { }, TaskScheduler.Default)));
        if (_started is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }) await (await _started.Value).DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<KafkaCluster> StartAsync()
    {
        using var authority = Authority.Root(_folder, "authority");
        using var between = authority.Delegate("between");
        using var strangers = Authority.Root(_folder, "strangers");
        (CaFile, StrangersCaFile) = (authority.CaFile, strangers.CaFile);
        Client = authority.Issue("client", null);
        ClientOfLockedKey = authority.Issue("locked", KeyPassword);
        ClientByDelegate = between.Issue("client", null);
        Stranger = strangers.Issue("client", null);
        _port = KafkaBroker.FreePorts(6);
        var cluster = await KafkaCluster.StartAsync(1, _port,
        [
            $"listeners=PLAINTEXT://{Open},CONTROLLER://127.0.0.1:{_port + 100}," +
                string.Join(',', Enumerable.Range(1, 5).Select(n => $"L{n}://127.0.0.1:{_port + n}")),
            $"advertised.listeners=PLAINTEXT://{Open},L1://{Tls},L2://{MutualTls},L3://{SignInOverTls},L4://{SignIn},L5://{Misnamed}",
            "listener.security.protocol.map=" +
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,L1:SSL,L2:SSL,L3:SASL_SSL,L4:SASL_PLAINTEXT,L5:SSL",
            // More names than one, so that what is checked is whether the one asked for is among them.
            .. Certificate(1, authority.Issue("named", null, "elsewhere.example", "localhost")),
            .. Certificate(2, authority.Issue("addressed", null, "127.0.0.1")),
            .. Certificate(3, authority.Issue("sign-in", null, "localhost")),
            .. Certificate(5, authority.Issue("misnamed", null, "elsewhere.example")),
            "listener.name.l2.ssl.client.auth=required",
            "listener.name.l2.ssl.truststore.type=PEM",
            $"listener.name.l2.ssl.truststore.location={CaFile}",
            "listener.name.l3.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            $"listener.name.l3.plain.sasl.jaas.config={JaasModules}.plain.PlainLoginModule required " +
                Escaped($"\"user_{UserOfPlain}\"=\"{Password}\";"),
            ScramUsers.Setting(3, 256), ScramUsers.Setting(3, 512),
            "listener.name.l4.sasl.enabled.mechanisms=SCRAM-SHA-256",
            ScramUsers.Setting(4, 256),
        ]);
        try
        {
            await ScramUsers.AddAsync(Open, User, Password, ScramMechanism.ScramSha256);
            await ScramUsers.AddAsync(Open, User, Password, ScramMechanism.ScramSha512);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }

        return cluster;
    }

    private string[] Certificate(int listener, (string CertificateFile, string KeyFile) of) =>
    [
        $"listener.name.l{listener}.ssl.keystore.type=PEM",
        $"listener.name.l{listener}.ssl.keystore.location=" +
            Write($"l{listener}.pem", File.ReadAllText(of.KeyFile) + "\n" + File.ReadAllText(of.CertificateFile)),
    ];

    /// <summary>As a properties file has what is not ASCII.</summary>
    private static string Escaped(string text) =>
        string.Concat(text.Select(letter => letter < 128 ? $"{letter}" : $"\\u{(int)letter:x4}"));
}
