namespace Belfry.Kafka.Tests;

/// <summary>
/// The Kafka that these tests talk to: the one that BELFRY_TEST_KAFKA names (bootstrap servers), else one of our own. Without either the
/// tests skip, and fail when CI=true.
/// </summary>
internal static class KafkaBroker
{
    private static readonly string[] Settings =
    [
        // Sessions and rebalances of seconds, not minutes, and retention that is looked at while a test waits for it.
        "group.min.session.timeout.ms=300", "group.consumer.min.session.timeout.ms=1000", "group.consumer.session.timeout.ms=30000",
        "group.consumer.min.heartbeat.interval.ms=100", "group.consumer.heartbeat.interval.ms=200", "log.retention.check.interval.ms=200",
    ];

    // A broker of minutes starts sooner when its code is not compiled twice.
    private static readonly Lazy<Task<string>> Started = new(() => KafkaProcess.External is { } external
        ? Task.FromResult(external) : Task.Run(() => KafkaProcess.Start(Settings, compiledTwice: false)));

    public static bool IsExternal => KafkaProcess.External is not null;

    /// <summary>The bootstrap servers; skips the test where there is no Kafka to be had.</summary>
    public static async Task<string> BootstrapAsync()
    {
        Native.Need();
        if (!IsExternal && KafkaProcess.WhyNone() is { } reason) Native.SkipOrFail(reason);
        return await Started.Value;
    }

    /// <summary>The script that starts brokers of one's own; skips the test where that cannot be.</summary>
    public static string ScriptOrSkip()
    {
        Native.Need();
        if (KafkaProcess.WhyNone() is { } reason) Native.SkipOrFail(reason);
        return KafkaProcess.Script()!;
    }

    /// <inheritdoc cref="KafkaProcess.FreePorts"/>
    public static int FreePorts(int brokers) => KafkaProcess.FreePorts(brokers);
}
