using Belfry.Scheduling.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Belfry.Scheduling.Tests;

/// <summary>
/// Random schedules, moves, cancels, waits and crashes against a small model, with memory so short that all ways are taken.
/// </summary>
public sealed class SchedulerModelTests
{
    private static readonly long[] Delays = [-7_200_000, -5_000, 0, 0, 1, 900, 4_000, 50_000, 90_000, 800_000];

    [Fact]
    public void Every_task_runs_exactly_when_it_should_over_changes_and_crashes()
    {
        var property = Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), steps =>
        {
            var world = new CoreHarness(new SchedulerOptions
            {
                FlushAfter = TimeSpan.Zero, ResidentMax = 16, LoadMax = 4, LaneResidentMax = 2, FlushMax = 6, RunningMax = 3,
                LookAhead = TimeSpan.FromSeconds(60), ShortWay = TimeSpan.FromSeconds(2),
            });
            var model = new Dictionary<string, (long Generation, long DueMs, bool IsOpen)>();
            foreach (var step in steps) Step(world, model, Mixed(step));
            Advance(world, model, 1_000_000);
            world.Core.Resident.ShouldBe(0);
            world.Committed.ShouldBe(world.End);
        });
        property.Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithEndSize(150));
    }

    private static void Step(CoreHarness world, Dictionary<string, (long Generation, long DueMs, bool IsOpen)> model, uint mixed)
    {
        var key = $"t{(mixed >> 8) % 24}";
        var lane = $"l{(mixed >> 8) % 24 % 5}";
        var generation = (mixed >> 14) % 4;
        var delay = Delays[(mixed >> 18) % Delays.Length];
        var known = model.TryGetValue(key, out var task);
        switch (mixed % 10)
        {
            case 0 or 1 or 2 or 3:
                var starts = !known || (task.IsOpen ? generation >= task.Generation : generation > task.Generation);
                if (starts) model[key] = (generation, world.WallMs + delay, true);
                Expect(world, model, () => world.Schedule(key, delay, generation, lane));
                break;
            case 4:
                if (known && task.IsOpen && generation >= task.Generation) model[key] = (generation, world.WallMs + delay, true);
                Expect(world, model, () => world.Reschedule(key, delay, generation, lane));
                break;
            case 5:
                if (!known || generation >= task.Generation) model[key] = (generation, 0, false);
                Expect(world, model, () => world.Cancel(key, generation, lane));
                break;
            case 6:
                Expect(world, model, () => world.Crash());
                break;
            case 7:
                Expect(world, model, () => world.Duplicate());
                break;
            default:
                Advance(world, model, Math.Max(1, delay));
                break;
        }
    }

    private static void Advance(CoreHarness world, Dictionary<string, (long Generation, long DueMs, bool IsOpen)> model, long ms)
    {
        var until = world.WallMs + ms;
        var due = Due(model, until);
        var before = world.Runs.Count;
        world.Advance(ms);
        Compare(world, before, due);
    }

    private static void Expect(CoreHarness world, Dictionary<string, (long Generation, long DueMs, bool IsOpen)> model, Action act)
    {
        var due = Due(model, world.WallMs);
        var before = world.Runs.Count;
        act();
        Compare(world, before, due);
    }

    /// <summary>What must run up to then, taken off the model as ended.</summary>
    private static List<(string Key, long DueMs)> Due(Dictionary<string, (long Generation, long DueMs, bool IsOpen)> model, long untilMs)
    {
        var due = model.Where(pair => pair.Value.IsOpen && pair.Value.DueMs <= untilMs)
            .Select(pair => (pair.Key, pair.Value.DueMs)).OrderBy(item => item.DueMs).ThenBy(item => item.Key, StringComparer.Ordinal)
                .ToList();
        foreach (var (key, dueMs) in due) model[key] = (model[key].Generation, dueMs, false);
        return due;
    }

    private static void Compare(CoreHarness world, int before, List<(string Key, long DueMs)> expected)
    {
        var runs = world.Runs.Skip(before).ToList();
        runs.Select(run => (run.Due.Task.Id.UniqueKey, run.Due.Task.DueAt.ToUnixTimeMilliseconds()))
            .OrderBy(item => item.Item2).ThenBy(item => item.UniqueKey, StringComparer.Ordinal).ShouldBe(expected);
        foreach (var lane in runs.GroupBy(run => run.Due.Task.Id.OrderingId))
            lane.Select(run => run.Due.Task.DueAt).ShouldBeInOrder();
        foreach (var (due, atMs) in runs.Where(run => run.Due.Task.DueAt.ToUnixTimeMilliseconds() > world.WallMs - 1))
            atMs.ShouldBe(due.Task.DueAt.ToUnixTimeMilliseconds());
    }

    private static uint Mixed(int step) => unchecked((uint)(step * 0x9E3779B1) ^ ((uint)step * 0x85EBCA6B >> 13));
}
