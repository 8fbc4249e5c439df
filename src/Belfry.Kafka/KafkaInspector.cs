using Belfry.Log;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Logging;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka;

/// <summary>A consumer group as the brokers see it.</summary>
/// <param name="Name">With its prefix.</param>
/// <param name="Members">0: nobody reads, or the group is not known (any more).</param>
/// <param name="Committed">Next offsets of all partitions that it ever committed and that the brokers still remember.</param>
public sealed record GroupState(string Name, int Members, IReadOnlyDictionary<TopicPartition, long> Committed);

/// <summary>The producers that brokers remember: an entry for each that has written to a partition and is not forgotten yet.</summary>
/// <param name="Producers">Different ones.</param>
/// <param name="Entries">Over all partitions.</param>
/// <param name="IsComplete">False: an answer was too large to be read whole, and its entries were reckoned by its size.</param>
public sealed record ProducerCount(long Producers, long Entries, bool IsComplete);

/// <summary>
/// Looks at brokers from outside: groups, offsets, topics, producers. Reads only, makes no producer and joins no group. Reference:
/// Kafka section 5. Any thread.
/// </summary>
public sealed class KafkaInspector : IDisposable
{
    private readonly KafkaLogOptions _options;
    private readonly TimeProvider _time;
    private readonly ClientVoice _voice;
    private readonly IConsumer<byte[], byte[]> _reader;
    private readonly IAdminClient _admin;
    private readonly KafkaReaders _readers;
    private readonly Lock _lock = new();

    // Under the lock: what the client has not answered, also where nobody waits for it any more.
    private readonly HashSet<Task> _running = [];

    // Under the lock: the newest question that blocks a thread.
    private Task<Metadata>? _metadata;

    private KafkaInspector(
        KafkaLogOptions options, ILogger logger, Func<ClientVoice, IConsumer<byte[], byte[]>> build, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _voice = new ClientVoice(logger, time, options.Security.Tls, options.Security.Login != KafkaLogin.None);
        try
        {
            _reader = build(_voice);
        }
        catch (LogUnavailableException fault)
        {
            throw new ArgumentException($"KafkaLogOptions: {fault.Message}", fault);
        }

        _admin = new DependentAdminClientBuilder(_reader.Handle).Build();
        _readers = new KafkaReaders(options, time, _voice, () => build(_voice));
    }

    /// <summary>Opens it; no broker need answer yet.</summary>
    /// <exception cref="ArgumentException">Options are faulty; names all faults.</exception>
    /// <exception cref="InvalidOperationException">The native client is missing or too old.</exception>
    public static KafkaInspector Open(KafkaLogOptions options, ILogger logger) =>
        Open(options, logger, voice => KafkaReaders.Build(options, voice), TimeProvider.System);

    /// <param name="options">Of the log.</param>
    /// <param name="logger">The program's.</param>
    /// <param name="build">Makes a client, as <see cref="KafkaReaders.Build"/> does.</param>
    /// <param name="time">Of limits.</param>
    internal static KafkaInspector Open(
        KafkaLogOptions options, ILogger logger, Func<ClientVoice, IConsumer<byte[], byte[]>> build, TimeProvider time)
    {
        options.Validate();
        Librdkafka.Check();
        return new KafkaInspector(options, logger, build, time);
    }

    /// <summary>The names of all groups of consumers that the brokers know.</summary>
    /// <exception cref="LogUnavailableException">Not all brokers answered.</exception>
    public Task<IReadOnlyList<string>> GroupNamesAsync(CancellationToken cancel) => AskAsync("the groups", async () =>
    {
        // Not DescribeCluster, which the client asks of the controller, and waits for that: it may be the one that is away.
        var cluster = await AnswerAsync(MetadataAsync(), cancel);
        var names = await Task.WhenAll(
            cluster.Brokers.Select(broker => GroupListing.AskAsync(_options, broker.Host, broker.Port, _time, cancel)));
        // Two brokers know a group of which one takes the coordination over from the other.
        return (IReadOnlyList<string>)[.. names.SelectMany(each => each).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    });

    /// <summary>The groups of these names, in order; one that is not known has no members and no offsets.</summary>
    /// <exception cref="LogUnavailableException">Not answered.</exception>
    public async Task<IReadOnlyList<GroupState>> GroupsAsync(IReadOnlyList<string> names, CancellationToken cancel)
    {
        if (names.Count == 0) return [];
        var members = await MembersAsync(names, cancel);
        var states = new List<GroupState>(names.Count);
        foreach (var name in names)
            states.Add(new GroupState(name, members.GetValueOrDefault(name), await CommittedAsync(name, cancel)));
        return states;
    }

    /// <summary>The first offset still there and the next one, of each partition.</summary>
    /// <exception cref="LogUnavailableException">Not answered, or a partition has no leader.</exception>
    public Task<IReadOnlyDictionary<TopicPartition, (long Start, long End)>> OffsetsAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancel) => AskAsync("offsets", async () =>
    {
        try
        {
            return await BothEndsAsync(partitions, cancel);
        }
        catch (KafkaException fault) when (!KafkaFaults.IsSilence(KafkaFaults.Cause(fault)))
        {
            // The client asks by the leaders and epochs that it has learned, and does not doubt them when it is refused, nor that there are
            // none: it is to learn them anew.
            await AnswerAsync(MetadataAsync(), cancel);
            return await BothEndsAsync(partitions, cancel);
        }
    });

    /// <summary>The names of all topics, internal ones left out.</summary>
    /// <exception cref="LogUnavailableException">Not answered.</exception>
    public Task<IReadOnlyList<string>> TopicNamesAsync(CancellationToken cancel) => AskAsync("the topics", async () =>
    {
        var found = await AnswerAsync(MetadataAsync(), cancel);
        return (IReadOnlyList<string>)
            [.. found.Topics.Select(t => t.Topic).Where(t => !t.StartsWith("__", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    });

    /// <summary>How many partitions the topics of these names have that are there. Needs the right to describe the topics alone.</summary>
    /// <exception cref="LogUnavailableException">Not answered, or a topic may not be described.</exception>
    public Task<IReadOnlyDictionary<string, int>> PartitionsAsync(IReadOnlyList<string> names, CancellationToken cancel) =>
        AskAsync("the topics", async () => (IReadOnlyDictionary<string, int>)(await DescribeAsync(names, cancel))
            .ToDictionary(topic => topic.Name, topic => topic.Partitions.Count, StringComparer.Ordinal));

    /// <summary>The topics of these names that are there, without settings where those may not be read.</summary>
    /// <exception cref="LogUnavailableException">Not answered, or a topic may not be described.</exception>
    public Task<IReadOnlyList<TopicState>> TopicsAsync(IReadOnlyList<string> names, CancellationToken cancel) =>
        AskAsync("the topics", async () =>
        {
            var found = await DescribeAsync(names, cancel);
            var settings = await SettingsAsync([.. found.Select(topic => topic.Name)], cancel);
            return (IReadOnlyList<TopicState>)
            [
                .. found.Select(topic => TopicComparison.State(topic, settings.GetValueOrDefault(topic.Name))),
            ];
        });

    /// <summary>Counts the producers that the leaders of these topics know, by asking each of them.</summary>
    /// <exception cref="LogUnavailableException">A leader did not answer, or refused.</exception>
    public Task<ProducerCount> ProducersAsync(IReadOnlyList<string> topics, CancellationToken cancel) => AskAsync("producers", async () =>
    {
        var found = await DescribeAsync(topics, cancel);
        var byLeader = found.SelectMany(topic => topic.Partitions, (topic, partition) => (topic.Name, partition))
            .Where(p => p.partition.Leader is not null)
            .GroupBy(p => p.partition.Leader!.Value);
        var census = new ProducerCensus();
        foreach (var leader in byLeader)
            await census.AskAsync(
                _options, leader.Key.Host, leader.Key.Port,
                [.. leader.Select(p => new TopicPartition(p.Name, p.partition.Number))], cancel);
        return census.Count;
    });

    /// <summary>
    /// Not while a question is waited for. Takes <see cref="KafkaLogOptions.CloseTimeout"/> at most; a client that has not ended by then
    /// does so in the background. Where a question was given up by its token, all of it happens there, once the client has answered that
    /// or <see cref="KafkaLogOptions.RequestTimeout"/> is over: its end would block meanwhile, and may not come amid a call that does.
    /// </summary>
    public void Dispose()
    {
        Task[] running;
        lock (_lock) running = [.. _running];
        var ending = ClientEnd.RunAsync(Task.WhenAll(running), _voice, _admin, _reader, _readers);
        if (running.Length == 0 && !ending.Wait(_options.CloseTimeout)) _voice.EndsLate(_options.CloseTimeout);
    }

    /// <summary>How many the client has not answered, for tests.</summary>
    internal int Questions
    {
        get { lock (_lock) return _running.Count; }
    }

    /// <summary>The client's call blocks: one at a time, and whoever asks meanwhile hears of the same answer.</summary>
    private Task<Metadata> MetadataAsync()
    {
        lock (_lock)
        {
            if (_metadata is { IsCompleted: false } running) return running;
            return _metadata = Task.Run(() => _admin.GetMetadata(_options.RequestTimeout), CancellationToken.None);
        }
    }

    /// <summary>
    /// Waits for the client's answer until the caller gives it up, or the client hangs; it is left to itself then, and its fault is
    /// nobody's.
    /// </summary>
    /// <exception cref="TimeoutException">It hangs.</exception>
    private async Task<T> AnswerAsync<T>(Task<T> asked, CancellationToken cancel)
    {
        lock (_lock) _running.Add(asked);
        _ = asked.ContinueWith(
            ended =>
            {
                _ = ended.Exception;
                lock (_lock) _running.Remove(ended);
            },
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return await asked.WaitAsync(_options.RequestTimeout + KafkaReaders.ClientGrace, _time, cancel);
    }

    private Task<Dictionary<string, int>> MembersAsync(IReadOnlyList<string> names, CancellationToken cancel) =>
        _readers.AskCoordinatorAsync(Asking("the groups' members"), async admin =>
        {
            List<ConsumerGroupDescription> groups;
            try
            {
                groups = (await admin.DescribeConsumerGroupsAsync(
                    names, new DescribeConsumerGroupsOptions { RequestTimeout = KafkaReaders.NoLimitOfTheClient }))
                    .ConsumerGroupDescriptions;
            }
            catch (DescribeConsumerGroupsException fault)
            {
                groups = fault.Results.ConsumerGroupDescriptions;
            }

            if (groups.Find(g => g.Error.IsError && g.Error.Code != ErrorCode.GroupIdNotFound) is { } refused)
                throw new KafkaException(new Error(refused.Error.Code, $"group '{refused.GroupId}': {refused.Error.Reason}"));
            return groups.ToDictionary(g => g.GroupId, g => g.Error.IsError ? 0 : g.Members.Count, StringComparer.Ordinal);
        }, cancel);

    internal Task<IReadOnlyDictionary<TopicPartition, long>> CommittedAsync(string group, CancellationToken cancel) =>
        _readers.AskCoordinatorAsync<IReadOnlyDictionary<TopicPartition, long>>(Asking($"offsets of group '{group}'"), async admin =>
        {
            try
            {
                var answer = (await admin.ListConsumerGroupOffsetsAsync(
                    [new ConsumerGroupTopicPartitions(group, null)],
                    new ListConsumerGroupOffsetsOptions { RequestTimeout = KafkaReaders.NoLimitOfTheClient })).Single();
                if (answer.Partitions.Find(p => p.Error.IsError) is { } refused) throw new KafkaException(refused.Error);
                return answer.Partitions.Where(p => !p.Offset.IsSpecial)
                    .ToDictionary(p => KafkaRecords.FromKafka(p.TopicPartition), p => p.Offset.Value);
            }
            catch (ListConsumerGroupOffsetsException fault) when (KafkaFaults.IsNoGroup(fault))
            {
                return new Dictionary<TopicPartition, long>();
            }
        }, cancel);

    private async Task<IReadOnlyDictionary<TopicPartition, (long Start, long End)>> BothEndsAsync(
        IReadOnlyList<TopicPartition> partitions, CancellationToken cancel)
    {
        var starts = await OffsetsAsync(partitions, OffsetSpec.Earliest(), cancel);
        var ends = await OffsetsAsync(partitions, OffsetSpec.Latest(), cancel);
        return partitions.ToDictionary(p => p, p => (starts[p], ends[p]));
    }

    private async Task<Dictionary<TopicPartition, long>> OffsetsAsync(
        IReadOnlyList<TopicPartition> partitions, OffsetSpec which, CancellationToken cancel)
    {
        if (partitions.Count == 0) return [];
        var answer = await AnswerAsync(
            _admin.ListOffsetsAsync(
                partitions.Select(p => new TopicPartitionOffsetSpec { TopicPartition = KafkaRecords.ToKafka(p), OffsetSpec = which }),
                new ListOffsetsOptions { RequestTimeout = _options.RequestTimeout }), cancel);
        var offsets = answer.ResultInfos.ConvertAll(info => info.TopicPartitionOffsetError);
        // A leader that has not answered is no fault for the client.
        if (offsets.Find(p => p.Error.IsError || p.Offset.IsSpecial) is { } missing)
            throw new LogUnavailableException(
                $"Where {missing.TopicPartition} begins and ends is not known: {(missing.Error.IsError ? missing.Error : missing.Offset)}" +
                $"{_voice.Why()}.");
        return offsets.ToDictionary(p => KafkaRecords.FromKafka(p.TopicPartition), p => p.Offset.Value);
    }

    private async Task<IReadOnlyList<KnownTopic>> DescribeAsync(IReadOnlyList<string> names, CancellationToken cancel) => names.Count == 0
        ? []
        : await TopicLookup.FindAsync(
            names, await AnswerAsync(MetadataAsync(), cancel),
            rest => AnswerAsync(
                _admin.DescribeTopicsAsync(rest, new DescribeTopicsOptions { RequestTimeout = _options.RequestTimeout }), cancel),
            _voice);

    private async Task<Dictionary<string, Dictionary<string, ConfigEntryResult>>> SettingsAsync(
        IReadOnlyList<string> names, CancellationToken cancel)
    {
        if (names.Count == 0) return [];
        try
        {
            var answers = await AnswerAsync(
                _admin.DescribeConfigsAsync(
                    names.Select(name => new ConfigResource { Type = ResourceType.Topic, Name = name }),
                    new DescribeConfigsOptions { RequestTimeout = _options.RequestTimeout }), cancel);
            return answers.ToDictionary(answer => answer.ConfigResource.Name, answer => answer.Entries, StringComparer.Ordinal);
        }
        catch (DescribeConfigsException fault) when (fault.Results.TrueForAll(r => !r.Error.IsError || KafkaFaults.IsNoRight(r.Error)))
        {
            // Reading settings is a right of its own, topic by topic.
            return fault.Results.Where(result => !result.Error.IsError)
                .ToDictionary(result => result.ConfigResource.Name, result => result.Entries, StringComparer.Ordinal);
        }
    }

    private async Task<T> AskAsync<T>(string what, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (KafkaException fault)
        {
            throw KafkaFaults.Unavailable($"{Asking(what)} failed", fault, _voice);
        }
        catch (TimeoutException fault)
        {
            throw KafkaReaders.Hangs(Asking(what), _options, _voice, fault);
        }
    }

    private string Asking(string what) => $"Kafka at {_options.BootstrapServers}: asking for {what}";
}
