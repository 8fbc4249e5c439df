using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka.Tests;

/// <summary>One broker on which whoever signs in may do what is allowed by name alone, and whoever does not may do everything.</summary>
internal sealed class StrictBroker : IAsyncDisposable
{
    public const string User = "watcher";
    public const string Password = "watch-it";

    private readonly KafkaCluster _cluster;
    private readonly IAdminClient _admin;

    private StrictBroker(KafkaCluster cluster, IAdminClient admin, string signIn) => (_cluster, _admin, SignIn) = (cluster, admin, signIn);

    /// <summary>Where one does not sign in, and may do everything.</summary>
    public string Open => _cluster.Bootstrap;

    /// <summary>Where one signs in by SCRAM with SHA-256.</summary>
    public string SignIn { get; }

    /// <summary>Skips the test where no broker can be started.</summary>
    public static async Task<StrictBroker> StartAsync()
    {
        var port = KafkaBroker.FreePorts(2);
        var (open, signIn) = ($"127.0.0.1:{port}", $"127.0.0.1:{port + 1}");
        var cluster = await KafkaCluster.StartAsync(1, port,
        [
            $"listeners=PLAINTEXT://{open},L1://{signIn},CONTROLLER://127.0.0.1:{port + 100}",
            $"advertised.listeners=PLAINTEXT://{open},L1://{signIn}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,L1:SASL_PLAINTEXT",
            "listener.name.l1.sasl.enabled.mechanisms=SCRAM-SHA-256",
            ScramUsers.Setting(1, 256),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
        ]);
        var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = open }).Build();
        var broker = new StrictBroker(cluster, admin, signIn);
        try
        {
            await ScramUsers.AddAsync(open, User, Password, ScramMechanism.ScramSha256);
            return broker;
        }
        catch
        {
            await broker.DisposeAsync();
            throw;
        }
    }

    /// <summary>Allows the user this of whatever begins so.</summary>
    public Task AllowAsync(ResourceType type, string prefix, AclOperation operation) =>
        _admin.CreateAclsAsync([Allowing(type, prefix, operation)]);

    public Task ForbidAsync(ResourceType type, string prefix, AclOperation operation) =>
        _admin.DeleteAclsAsync([Allowing(type, prefix, operation).ToFilter()]);

    public async ValueTask DisposeAsync()
    {
        _admin.Dispose();
        await _cluster.DisposeAsync();
    }

    private static AclBinding Allowing(ResourceType type, string prefix, AclOperation operation) => new()
    {
        Pattern = new ResourcePattern { Type = type, Name = prefix, ResourcePatternType = ResourcePatternType.Prefixed },
        Entry = new AccessControlEntry
        {
            Principal = $"User:{User}", Host = "*", Operation = operation, PermissionType = AclPermissionType.Allow,
        },
    };
}
