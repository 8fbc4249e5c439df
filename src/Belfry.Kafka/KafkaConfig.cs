using Belfry.Log;
using Confluent.Kafka;

namespace Belfry.Kafka;

/// <summary>The native clients' settings for a log's options.</summary>
internal static class KafkaConfig
{
    public static ProducerConfig Producer(KafkaLogOptions options)
    {
        var config = new ProducerConfig
        {
            EnableIdempotence = true,
            Acks = Acks.All,
            LingerMs = 5,
            CompressionType = CompressionType.Lz4,
            BatchNumMessages = 10_000,
            MessageTimeoutMs = Ms(options.AppendTimeout),
            RequestTimeoutMs = Math.Min(Ms(options.BrokerAnswerMax), Ms(options.AppendTimeout)),
            QueueBufferingMaxKbytes = 256 << 10,
            DeliveryReportFields = "status",
            MessageMaxBytes = options.RecordBytesMax,
        };
        return Shared(options, config);
    }

    public static ConsumerConfig Consumer(KafkaLogOptions options, ConsumerGroup group, string? instanceId)
    {
        var config = Reading(options);
        config.GroupId = group.Name;
        config.GroupInstanceId = instanceId;
        config.MaxPollIntervalMs = Ms(options.PollIntervalMax);
        if (options.GroupProtocol == KafkaGroupProtocol.Consumer)
        {
            config.GroupProtocol = GroupProtocol.Consumer;
            config.GroupRemoteAssignor = group.CoPartitioned ? "range" : "uniform";
            return config;
        }

        config.GroupProtocol = GroupProtocol.Classic;
        config.SessionTimeoutMs = Ms(options.SessionTimeout);
        config.HeartbeatIntervalMs = Ms(options.HeartbeatInterval);
        // Cooperative-sticky moves the least, but gives no two topics' equal partitions to one member.
        config.PartitionAssignmentStrategy =
            group.CoPartitioned ? PartitionAssignmentStrategy.Range : PartitionAssignmentStrategy.CooperativeSticky;
        return config;
    }

    /// <summary>A consumer outside any group; the client demands a group's name all the same.</summary>
    public static ConsumerConfig Reader(KafkaLogOptions options)
    {
        var config = Reading(options);
        config.GroupId = $"{options.ClientId}-reader";
        config.EnablePartitionEof = true;
        config.FetchWaitMaxMs = 20;
        return config;
    }

    public static AdminClientConfig Admin(KafkaLogOptions options) => Shared(options, new AdminClientConfig());

    private static ConsumerConfig Reading(KafkaLogOptions options) => Shared(options, new ConsumerConfig
    {
        // Offsets are committed by name, once their records are done, and in no other way.
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        AutoOffsetReset = AutoOffsetReset.Earliest,
        AllowAutoCreateTopics = false,
        QueuedMinMessages = 5_000,
        QueuedMaxMessagesKbytes = 16 << 10,
        // A full queue is asked again soon: the default of 1 s would hold each partition at 5,000 records a second.
        FetchQueueBackoffMs = 10,
    });

    private static T Shared<T>(KafkaLogOptions options, T config) where T : ClientConfig
    {
        config.BootstrapServers = options.BootstrapServers;
        config.ClientId = options.ClientId;
        config.SocketNagleDisable = true;
        // What is asked of a broker's administration names its own, longer patience.
        config.SocketTimeoutMs = Ms(options.BrokerAnswerMax);
        config.ReconnectBackoffMaxMs = 2_000;
        var security = options.Security;
        config.SecurityProtocol = (security.Tls, security.Login) switch
        {
            (false, KafkaLogin.None) => SecurityProtocol.Plaintext,
            (true, KafkaLogin.None) => SecurityProtocol.Ssl,
            (false, _) => SecurityProtocol.SaslPlaintext,
            (true, _) => SecurityProtocol.SaslSsl,
        };
        if (security.CaFile is not null) config.SslCaLocation = security.CaFile;
        if (security.CertificateFile is not null) config.SslCertificateLocation = security.CertificateFile;
        if (security.KeyFile is not null) config.SslKeyLocation = security.KeyFile;
        if (security.KeyPassword is not null) config.SslKeyPassword = security.KeyPassword;
        if (security.Login != KafkaLogin.None)
        {
            config.SaslMechanism = security.Login switch
            {
                KafkaLogin.Plain => SaslMechanism.Plain,
                KafkaLogin.ScramSha256 => SaslMechanism.ScramSha256,
                _ => SaslMechanism.ScramSha512,
            };
            config.SaslUsername = security.User;
            config.SaslPassword = security.Password;
        }

        foreach (var (name, value) in options.ClientSettings) config.Set(name, value);
        return config;
    }

    private static int Ms(TimeSpan length) => (int)length.TotalMilliseconds;
}
