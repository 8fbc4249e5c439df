namespace Belfry.Bench.Log;

/// <summary>
/// What is said against Kafka as a task queue, a row each: the lanes of Belfry.Log beside a plain consumer, the writer beside a plain
/// producer, all in one process on one real broker on the same cores. docs/kafka-as-a-task-queue.md tells what each row is about.
/// </summary>
internal static class LogBench
{
    public static IReadOnlyList<(string Name, string What, Func<CancellationToken, Task> RunAsync)> Rows { get; } =
    [
        ("log.empty", "records a second through lanes with an empty handler, key order kept", EmptyHandlerRow.RunAsync),
        ("log.writer", "records a second appended durably", WriterRow.RunAsync),
        ("log.slow", "records a second where each takes 100 ms, 1,000 keys on 4 partitions", SlowHandlerRow.RunAsync),
        ("log.failing", "how long records that fail hold up other keys, and whether any is lost", FailingRecordRow.RunAsync),
        ("log.long", "runs of a record that takes five times max.poll.interval.ms", LongHandlerRow.RunAsync),
        ("log.rebalance", "how long partitions that stay are silent while a member joins and leaves", RebalanceRow.RunAsync),
        ("log.waiting", "what 100,000 tasks that wait leave on the topic", WaitingTasksRow.RunAsync),
    ];

    public static async Task RunAsync(CancellationToken cancel)
    {
        foreach (var (_, _, runAsync) in Rows) await runAsync(cancel);
    }
}
