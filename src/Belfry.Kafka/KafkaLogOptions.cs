using System.Globalization;

namespace Belfry.Kafka;

/// <summary>Who shares out a group's partitions.</summary>
public enum KafkaGroupProtocol
{
    /// <summary>The members, by an assignor among them. Any broker.</summary>
    Classic,

    /// <summary>
    /// The broker (KIP-848, Kafka 4.0 and later): a rebalance touches only what moves. Sessions and heartbeats are then settings of the
    /// broker or of the group, 45 s by default.
    /// </summary>
    Consumer,
}

/// <summary>Settings of a <see cref="KafkaLog"/>. A log that is opened with faulty ones names all faults at once.</summary>
public sealed record KafkaLogOptions
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>Brokers to begin with, <c>host:port</c> divided by commas. Required.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>How this process is called in the brokers' logs and quotas. Default "belfry".</summary>
    public string ClientId { get; init; } = "belfry";

    /// <summary>Encryption and identity. Default: neither.</summary>
    public KafkaSecurity Security { get; init; } = new();

    /// <summary>Default <see cref="KafkaGroupProtocol.Classic"/>.</summary>
    public KafkaGroupProtocol GroupProtocol { get; init; } = KafkaGroupProtocol.Classic;

    /// <summary>
    /// Makes members static: a restart within the session keeps the partitions, and a stop frees them only when the session ends. Unique
    /// to the process, the same after its restart; further members of a group in one process get "-2", "-3" behind it. Default: none.
    /// </summary>
    public string? GroupInstanceId { get; init; }

    /// <summary>
    /// After this long without a heartbeat a member's partitions go to others. Classic protocol only; brokers allow 6 s to 30 min unless
    /// set otherwise. Default 6 s.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(6);

    /// <summary>
    /// How often a member shows life and hears of rebalances, and so of the death of others; at most a third of the session. Classic only.
    /// Default 1.5 s.
    /// </summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>A member that does not poll for this long is put out of its group and built anew. Default 5 min.</summary>
    public TimeSpan PollIntervalMax { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Copies of each record, for topics that are created. 0 leaves it to the brokers. Default 3.</summary>
    public int ReplicationFactor { get; init; } = 3;

    /// <summary>
    /// Copies that must be in step for an append to be acknowledged, for topics that are created. 0 leaves it to the brokers. Default 2.
    /// </summary>
    public int MinInSyncReplicas { get; init; } = 2;

    /// <summary>Largest record with its key and headers, for appends and for topics that are created. Default 2 MiB.</summary>
    public int RecordBytesMax { get; init; } = 2 << 20;

    /// <summary>A record that was not acknowledged for this long has failed. Default 2 min; a caller may cancel sooner.</summary>
    public TimeSpan AppendTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Longest wait for an answer to anything else: a commit, a read, a declaration. Default 10 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A broker that leaves a produce, a fetch or a commit without an answer for this long is hung up on and asked again, or its successor
    /// is: so long a frozen broker holds up what it leads. Default 4 s.
    /// </summary>
    public TimeSpan BrokerAnswerMax { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Longest wait for a consumer to leave its group, and for a producer to send what it holds. Default 10 s.</summary>
    public TimeSpan CloseTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Settings of the native client for all clients of this log, by its names: for tests.</summary>
    internal IReadOnlyDictionary<string, string> ClientSettings { get; init; } = new Dictionary<string, string>();

    /// <exception cref="ArgumentException">A setting is out of range; names all that are.</exception>
    internal void Validate()
    {
        var faults = new List<string>();
        void Check(bool sound, string fault)
        {
            if (!sound) faults.Add(fault);
        }

        void CheckLength(string name, TimeSpan value, TimeSpan least) =>
            Check(value >= least && value <= Longest, Text($"{name} is {value}, {least} to {Longest} is needed"));
        Check(!string.IsNullOrWhiteSpace(BootstrapServers), "BootstrapServers is empty, host:port is needed");
        Check(!string.IsNullOrWhiteSpace(ClientId), "ClientId is empty");
        Check(Enum.IsDefined(GroupProtocol), Text($"GroupProtocol is {GroupProtocol}, Classic or Consumer is needed"));
        Check(GroupInstanceId is null || GroupInstanceId.Length is > 0 and <= 200, "GroupInstanceId has not 1 to 200 characters");
        CheckLength(nameof(SessionTimeout), SessionTimeout, TimeSpan.FromMilliseconds(300));
        CheckLength(nameof(HeartbeatInterval), HeartbeatInterval, TimeSpan.FromMilliseconds(50));
        CheckLength(nameof(PollIntervalMax), PollIntervalMax, TimeSpan.FromSeconds(1));
        CheckLength(nameof(AppendTimeout), AppendTimeout, TimeSpan.FromMilliseconds(100));
        CheckLength(nameof(RequestTimeout), RequestTimeout, TimeSpan.FromMilliseconds(100));
        CheckLength(nameof(BrokerAnswerMax), BrokerAnswerMax, TimeSpan.FromSeconds(1));
        CheckLength(nameof(CloseTimeout), CloseTimeout, TimeSpan.FromMilliseconds(100));
        Check(HeartbeatInterval * 3 <= SessionTimeout,
            Text($"HeartbeatInterval is {HeartbeatInterval}, at most a third of SessionTimeout ({SessionTimeout}) is needed"));
        Check(PollIntervalMax >= SessionTimeout,
            Text($"PollIntervalMax is {PollIntervalMax}, at least SessionTimeout ({SessionTimeout}) is needed"));
        Check(ReplicationFactor is >= 0 and <= short.MaxValue, Text($"ReplicationFactor is {ReplicationFactor}, 0 or more is needed"));
        Check(MinInSyncReplicas >= 0, Text($"MinInSyncReplicas is {MinInSyncReplicas}, 0 or more is needed"));
        Check(ReplicationFactor == 0 || MinInSyncReplicas <= ReplicationFactor,
            Text($"MinInSyncReplicas is {MinInSyncReplicas}, at most ReplicationFactor ({ReplicationFactor}) is needed"));
        Check(RecordBytesMax is >= 1_000 and <= 100_000_000,
            Text($"RecordBytesMax is {RecordBytesMax}, 1000 to 100000000 is needed"));
        faults.AddRange(Security.Faults());
        if (faults.Count > 0) throw new ArgumentException($"KafkaLogOptions: {string.Join("; ", faults)}.");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
