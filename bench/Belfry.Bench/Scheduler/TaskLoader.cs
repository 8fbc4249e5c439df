using System.Globalization;
using Belfry.Scheduling;

namespace Belfry.Bench.Scheduler;

/// <summary>Appends tasks due now, in lots, several under way at a time.</summary>
internal sealed class TaskLoader(DurableScheduler scheduler)
{
    public const string Kind = "bench";
    private const int Lot = 1_000;
    private const int LotsUnderWay = 8;
    private readonly byte[] _payload = [.. Enumerable.Range(0, SchedulerBench.PayloadBytes).Select(n => (byte)n)];
    private int _number;

    public async Task AppendAsync(int count, CancellationToken cancel)
    {
        var underWay = new Queue<Task>();
        for (var left = count; left > 0; left -= Lot)
        {
            if (underWay.Count == LotsUnderWay) await underWay.Dequeue();
            var now = DateTimeOffset.UtcNow;
            var lot = Enumerable.Range(0, Math.Min(Lot, left)).Select(_ => Next(now)).ToList();
            underWay.Enqueue(scheduler.ScheduleManyAsync(lot, cancel).AsTask());
        }

        await Task.WhenAll(underWay);
    }

    private ScheduledTask Next(DateTimeOffset now)
    {
        var number = _number++;
        return new ScheduledTask
        {
            Id = new(OrderingId(number), Kind, string.Create(CultureInfo.InvariantCulture, $"task-{number:00000000}")),
            DueAt = now,
            Payload = _payload,
        };
    }

    public static string OrderingId(int number) =>
        string.Create(CultureInfo.InvariantCulture, $"incident-{number % SchedulerBench.OrderingIds:0000}");
}
