using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka.Tests;

/// <summary>Users that sign in by SCRAM, which brokers keep themselves.</summary>
internal static class ScramUsers
{
    private const int Rounds = 4_096;

    /// <summary>The broker's setting for a listener <c>L1</c>, <c>L2</c>, …</summary>
    public static string Setting(int listener, int bits) =>
        $"listener.name.l{listener}.scram-sha-{bits}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;";

    public static async Task AddAsync(string bootstrap, string user, string password, ScramMechanism mechanism)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrap }).Build();
        await admin.AlterUserScramCredentialsAsync(
        [
            new UserScramCredentialUpsertion
            {
                User = user,
                Password = Encoding.UTF8.GetBytes(password),
                ScramCredentialInfo = new ScramCredentialInfo { Mechanism = mechanism, Iterations = Rounds },
            },
        ]);
    }
}
