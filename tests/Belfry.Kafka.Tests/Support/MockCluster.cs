using System.Runtime.InteropServices;

namespace Belfry.Kafka.Tests;

/// <summary>
/// A cluster inside the native client: no broker, no Java, and errors on demand. It knows topics, producing, fetching, classic groups and
/// commits, but not creating topics (<see cref="CreateTopic"/> does that), removing records (<see cref="DeleteRecords"/>), compaction,
/// settings of topics, nor sharing out by the broker. A rebalance of a group that has members takes a session less a second.
/// </summary>
internal sealed partial class MockCluster : IDisposable
{
    private const string Library = "librdkafka";
    private const int ProducerType = 0;
    private readonly IntPtr _client;
    private readonly IntPtr _cluster;
    private readonly int _brokers;

    public MockCluster(int brokers = 1)
    {
        _brokers = brokers;
        Native.Need();
        var problem = new byte[512];
        _client = New(ProducerType, NewConfig(), problem, (nuint)problem.Length);
        _cluster = NewCluster(_client, brokers);
        if (_client == 0 || _cluster == 0) throw new InvalidOperationException("The mock cluster could not be made.");
        SetController(_cluster, 1);
        SetRebalanceDelay(_cluster, 0);
        Bootstrap = Marshal.PtrToStringUTF8(Bootstraps(_cluster))!;
    }

    public string Bootstrap { get; }

    public void CreateTopic(string name, int partitions, int replicas = 1) => Check(CreateTopic(_cluster, name, partitions, replicas));

    /// <summary>Removes what lies before the offset, which becomes the partition's first.</summary>
    public void DeleteRecords(string topic, int partition, long before) => Check(DeleteRecords(_cluster, topic, partition, before));

    public void MoveLeader(string topic, int partition, int broker) => Check(SetLeader(_cluster, topic, partition, broker));

    public void MoveCoordinator(string group, int broker) => Check(SetCoordinator(_cluster, "group", group, broker));

    /// <summary>The next requests of this kind are answered so, one error each.</summary>
    public void Fail(ApiKey key, params int[] errors) => PushErrors(_cluster, (short)key, (nuint)errors.Length, errors);

    /// <summary>Of the next three requests of this kind at this broker the third is answered so much later.</summary>
    public void DelayThird(ApiKey key, int broker, TimeSpan length) =>
        Check(PushDelays(_cluster, broker, (short)key, 3, 0, 0, 0, 0, 0, (int)length.TotalMilliseconds));

    /// <summary>The requests fail so often that no patience outlasts it, until <see cref="Mend"/>.</summary>
    public void FailOn(ApiKey key, int error) => Fail(key, [.. Enumerable.Repeat(error, 10_000)]);

    public void Mend(ApiKey key) => ClearErrors(_cluster, (short)key);

    public void SetRoundTrip(TimeSpan length) => Check(SetRtt(_cluster, -1, (int)length.TotalMilliseconds));

    public void Down(int broker) => Check(SetDown(_cluster, broker));

    public void Up(int broker) => Check(SetUp(_cluster, broker));

    public void AllDown()
    {
        for (var broker = 1; broker <= _brokers; broker++) Down(broker);
    }

    public void AllUp()
    {
        for (var broker = 1; broker <= _brokers; broker++) Up(broker);
    }

    /// <summary>Makes a client believe in a fatal error.</summary>
    public static void MakeFatal(IntPtr client, int error) => TestFatalError(client, error, "planted by a test");

    public void Dispose()
    {
        DestroyCluster(_cluster);
        Destroy(_client);
    }

    private static void Check(int error)
    {
        if (error != 0) throw new InvalidOperationException($"The mock cluster refused: {error}");
    }

    [LibraryImport(Library, EntryPoint = "rd_kafka_conf_new")]
    private static partial IntPtr NewConfig();

    [LibraryImport(Library, EntryPoint = "rd_kafka_new")]
    private static partial IntPtr New(int type, IntPtr config, byte[] problem, nuint problemBytes);

    [LibraryImport(Library, EntryPoint = "rd_kafka_destroy")]
    private static partial void Destroy(IntPtr client);

    [LibraryImport(Library, EntryPoint = "rd_kafka_test_fatal_error", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int TestFatalError(IntPtr client, int error, string reason);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_new")]
    private static partial IntPtr NewCluster(IntPtr client, int brokers);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_destroy")]
    private static partial void DestroyCluster(IntPtr cluster);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_cluster_bootstraps")]
    private static partial IntPtr Bootstraps(IntPtr cluster);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateTopic(IntPtr cluster, string topic, int partitions, int replicas);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_partition_delete_records", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int DeleteRecords(IntPtr cluster, string topic, int partition, long before);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_partition_set_leader", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetLeader(IntPtr cluster, string topic, int partition, int broker);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_coordinator_set", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetCoordinator(IntPtr cluster, string kind, string key, int broker);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_push_request_errors_array")]
    private static partial void PushErrors(IntPtr cluster, short apiKey, nuint count, int[] errors);

    // Any number of pairs in C: an error (0 is none), and milliseconds.
    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_broker_push_request_error_rtts")]
    private static partial int PushDelays(
        IntPtr cluster, int broker, short apiKey, nuint count, int error1, int ms1, int error2, int ms2, int error3, int ms3);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_clear_request_errors")]
    private static partial void ClearErrors(IntPtr cluster, short apiKey);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_broker_set_rtt")]
    private static partial int SetRtt(IntPtr cluster, int broker, int ms);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_broker_set_down")]
    private static partial int SetDown(IntPtr cluster, int broker);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_broker_set_up")]
    private static partial int SetUp(IntPtr cluster, int broker);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_set_controller_id")]
    private static partial void SetController(IntPtr cluster, int broker);

    [LibraryImport(Library, EntryPoint = "rd_kafka_mock_group_initial_rebalance_delay_ms")]
    private static partial void SetRebalanceDelay(IntPtr cluster, int ms);
}

/// <summary>Kinds of requests, by Kafka's protocol.</summary>
internal enum ApiKey : short
{
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    InitProducerId = 22,
}
