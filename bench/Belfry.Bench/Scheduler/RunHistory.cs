using System.Globalization;
using Belfry.Log;

namespace Belfry.Bench.Scheduler;

/// <summary>What all workers of a run have done, and what it breaks of the promises.</summary>
/// <param name="Lost">Tasks that never ended.</param>
/// <param name="Overlaps">Starts while another task of the ordering id, or the same one elsewhere, was still running.</param>
/// <param name="Misorders">Starts before an earlier task of the ordering id had ended once.</param>
/// <param name="Repeats">Ends beyond the first of each task: what had ended and was not durable at a kill runs again.</param>
/// <param name="WaitsMs">From due to the first start of each task that ran.</param>
internal sealed record RunHistory(int Lost, int Overlaps, int Misorders, int Repeats, List<double> WaitsMs)
{
    /// <summary>One start or end of a handler.</summary>
    private readonly record struct Step(bool IsStart, long At, string OrderingId, int Number, int Worker);

    /// <param name="workers">All that ran, dead or alive.</param>
    /// <param name="dueAt">By number; tasks of an ordering id are due in the order of their numbers.</param>
    /// <param name="ticksPerMs">Of the clock of the steps.</param>
    public static RunHistory Check(IReadOnlyList<WorkerProcess> workers, IReadOnlyList<long> dueAt, double ticksPerMs)
    {
        var steps = workers.SelectMany(Read).OrderBy(step => step.At).ToList();
        var (overlaps, misorders, ends) = (0, 0, 0);
        var firstStart = new Dictionary<int, long>();
        var ended = new HashSet<int>();
        foreach (var lane in steps.GroupBy(step => step.OrderingId))
        {
            // What a killed worker was running has ended with it.
            var running = new Dictionary<(int Number, int Worker), long>();
            var waiting = new SortedSet<int>(lane.Select(step => step.Number));
            foreach (var step in lane)
            {
                if (!step.IsStart)
                {
                    running.Remove((step.Number, step.Worker));
                    waiting.Remove(step.Number);
                    ended.Add(step.Number);
                    ends++;
                    continue;
                }

                foreach (var gone in running.Keys.Where(one => workers[one.Worker].KilledAt < step.At).ToList()) running.Remove(gone);
                if (running.Count > 0) overlaps++;
                if (waiting.Count > 0 && waiting.Min < step.Number) misorders++;
                running[(step.Number, step.Worker)] = step.At;
                firstStart.TryAdd(step.Number, step.At);
            }
        }

        var waits = firstStart.Select(start => (start.Value - dueAt[start.Key]) / ticksPerMs).ToList();
        return new RunHistory(dueAt.Count - ended.Count, overlaps, misorders, ends - ended.Count, waits);
    }

    /// <summary>
    /// From the death of a worker until each partition that it had run tasks of runs again elsewhere: of the slowest one.
    /// </summary>
    public static double TakeoverMs(IReadOnlyList<WorkerProcess> workers, WorkerProcess dead, int partitions, double ticksPerMs)
    {
        var last = dead.KilledAt!.Value;
        var its = PartitionsSince(dead, last - (long)(1_000 * ticksPerMs), partitions);
        var later = workers.Where(worker => worker != dead).SelectMany(Read).Where(step => step.IsStart && step.At > last)
            .GroupBy(step => PartitionOf(step, partitions)).ToDictionary(steps => steps.Key, steps => steps.Min(step => step.At));
        return its.Count == 0 ? double.NaN : its.Max(partition =>
            later.TryGetValue(partition, out var at) ? (at - last) / ticksPerMs : double.PositiveInfinity);
    }

    /// <summary>Of which tasks were started or ended since then.</summary>
    public static HashSet<int> PartitionsSince(WorkerProcess worker, long since, int partitions) =>
        [.. Read(worker, 0).Where(step => step.At > since).Select(step => PartitionOf(step, partitions))];

    private static int PartitionOf(Step step, int partitions) => Partitioner.PartitionOf(step.OrderingId, partitions);

    private static IEnumerable<Step> Read(WorkerProcess worker, int number)
    {
        if (!File.Exists(worker.RunsFile)) yield break;
        foreach (var line in File.ReadLines(worker.RunsFile))
        {
            var words = line.Split(' ');
            // A kill may cut the last line short.
            if (words.Length != 4 || words[3].Length != "task-00000000".Length) yield break;
            yield return new Step(
                words[0] == "S", long.Parse(words[1], CultureInfo.InvariantCulture), words[2],
                int.Parse(words[3].AsSpan("task-".Length), CultureInfo.InvariantCulture), number);
        }
    }
}
