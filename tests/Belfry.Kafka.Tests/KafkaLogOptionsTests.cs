namespace Belfry.Kafka.Tests;

public sealed class KafkaLogOptionsTests
{
    private static readonly KafkaLogOptions Sound = new() { BootstrapServers = "127.0.0.1:9092" };

    [Fact]
    public void The_defaults_are_sound() => Should.NotThrow(Sound.Validate);

    [Fact]
    public void All_faults_are_named_at_once()
    {
        var faulty = Sound with
        {
            BootstrapServers = " ", SessionTimeout = TimeSpan.FromSeconds(1), ReplicationFactor = 1, RecordBytesMax = 0,
            AppendTimeout = TimeSpan.Zero, Security = new KafkaSecurity { Login = KafkaLogin.Plain },
        };
        var message = Should.Throw<ArgumentException>(faulty.Validate).Message;
        foreach (var name in (string[])["BootstrapServers", "HeartbeatInterval", "MinInSyncReplicas", "RecordBytesMax", "AppendTimeout",
                     "without Tls", "Password"])
            message.ShouldContain(name);
    }

    [Fact]
    public void Passwords_are_not_printed()
    {
        var security = new KafkaSecurity { Tls = true, Login = KafkaLogin.Plain, User = "u", Password = "hush", KeyPassword = "hush" };
        (Sound with { Security = security }).ToString().ShouldNotContain("hush");
    }

    [Fact]
    public void Certificates_and_names_are_checked_with_TLS()
    {
        var config = KafkaConfig.Admin(Sound with { Security = new KafkaSecurity { Tls = true } });
        config.SecurityProtocol.ShouldBe(Confluent.Kafka.SecurityProtocol.Ssl);
        config.EnableSslCertificateVerification.ShouldBeNull("the client's default checks");
        config.SslEndpointIdentificationAlgorithm.ShouldBeNull("the client's default checks");
    }

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, false, "cooperative-sticky", null)]
    [InlineData(KafkaGroupProtocol.Classic, true, "range", null)]
    [InlineData(KafkaGroupProtocol.Consumer, false, null, "uniform")]
    [InlineData(KafkaGroupProtocol.Consumer, true, null, "range")]
    public void Co_partitioned_groups_are_shared_out_by_range(KafkaGroupProtocol protocol, bool together, string? local, string? remote)
    {
        var group = new Log.ConsumerGroup("g", ["t"], together);
        var config = KafkaConfig.Consumer(Sound with { GroupProtocol = protocol }, group, "me");
        config.Get("partition.assignment.strategy").ShouldBe(local);
        config.Get("group.remote.assignor").ShouldBe(remote);
        config.Get("group.instance.id").ShouldBe("me");
        config.EnableAutoCommit.ShouldBe(false);
        (config.Get("session.timeout.ms") is null).ShouldBe(protocol == KafkaGroupProtocol.Consumer, "sessions are the broker's there");
    }

    [Theory]
    [InlineData(0x020bffff, false)]
    [InlineData(0x020c0000, true)]
    [InlineData(0x020f01ff, true)]
    public void A_native_client_below_2_12_is_refused_by_its_version(int version, bool accepted)
    {
        if (accepted) Should.NotThrow(() => Librdkafka.Check(version, "named"));
        else Should.Throw<InvalidOperationException>(() => Librdkafka.Check(version, "named")).Message.ShouldContain("named");
    }

    [Fact]
    public void A_member_made_anew_gets_the_identity_of_the_one_before()
    {
        var instances = new GroupInstances("node");
        instances.Take("g").ShouldBe((1, "node"));
        instances.Take("g").ShouldBe((2, "node-2"));
        instances.Take("h").ShouldBe((1, "node"));
        instances.Return("g", 1);
        instances.Take("g").ShouldBe((1, "node"));
        new GroupInstances(null).Take("g").Id.ShouldBeNull();
    }
}
