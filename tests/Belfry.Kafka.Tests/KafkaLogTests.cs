using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>The seam's suite over a real broker, with groups whose members share out the partitions.</summary>
public sealed class KafkaLogTests() : KafkaLogSpec(KafkaGroupProtocol.Classic);

/// <summary>The same with groups whose partitions the broker shares out (KIP-848).</summary>
public sealed class KafkaLogBrokerGroupsTests() : KafkaLogSpec(KafkaGroupProtocol.Consumer);

public abstract class KafkaLogSpec(KafkaGroupProtocol protocol) : LogSpec
{
    private const string ClosedSegmentsOnly =
        "Kafka compacts closed segments only: what was appended last stays whole until later records have filled or aged its segment";

    private static readonly TimeSpan RetentionChecks = TimeSpan.FromMilliseconds(600);
    private const int LooksMax = 50;
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly string _prefix = $"t{Guid.NewGuid():N}-";
    private KafkaLog? _log;

    protected override string Prefix => _prefix;

    protected override TimeSpan PollWait => TimeSpan.FromMilliseconds(20);

    protected override TimeSpan Patience => TimeSpan.FromSeconds(60);

    // Long enough for a read or a new member to come before the broker takes the record.
    protected override TimeSpan ShortRetention => TimeSpan.FromSeconds(8);

    protected override async Task<IPartitionedLog> OpenAsync() =>
        _log = KafkaLog.Open(TestLog.Options(await KafkaBroker.BootstrapAsync(), protocol), _time, NullLogger.Instance);

    protected override Task PassAsync(TimeSpan length) => Task.Delay(length, _time);

    protected override Task CleanAsync() => Task.Delay(RetentionChecks, _time);

    protected override async Task CleanUntilAsync(Func<Task<bool>> isClean)
    {
        for (var look = 0; look < LooksMax && !await isClean(); look++) await CleanAsync();
    }

    protected override async Task CloseAsync()
    {
        if (_log is null) return;
        if (KafkaBroker.IsExternal) await TestLog.DeleteTopicsAsync(_log);
        await _log.DisposeAsync();
    }

    [Fact(Skip = ClosedSegmentsOnly)]
    public override Task Compaction_keeps_the_newest_record_of_each_key_at_its_offset() => Task.CompletedTask;

    [Fact(Skip = ClosedSegmentsOnly)]
    public override Task Compaction_never_ages_out_the_newest_record() => Task.CompletedTask;

    [Fact(Skip = ClosedSegmentsOnly)]
    public override Task A_tombstone_stays_for_the_retention_and_then_goes() => Task.CompletedTask;
}
