using Belfry.Log;

namespace Belfry.Testing.Tests;

public sealed class SimulatedWorldTests
{
    [Fact]
    public void Virtual_time_jumps_to_the_next_event()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        var done = false;
        node.Start(async () =>
        {
            await Task.Delay(TimeSpan.FromDays(30), node.Time);
            done = true;
        });
        world.Run(() => done).ShouldBe(RunEnd.Reached);
        world.Elapsed.ShouldBe(TimeSpan.FromDays(30));
        world.Steps.ShouldBeLessThan(10);
    }

    [Fact]
    public void A_run_ends_when_the_time_is_up_or_nothing_is_left_or_the_steps_are_used_up()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        node.Start(() => Task.Delay(TimeSpan.FromHours(1), node.Time));
        world.Run(length: TimeSpan.FromMinutes(1)).ShouldBe(RunEnd.TimeUp);
        world.Elapsed.ShouldBe(TimeSpan.FromMinutes(1));
        world.Run().ShouldBe(RunEnd.Idle);
        world.Elapsed.ShouldBe(TimeSpan.FromHours(1));
        node.Start(async () =>
        {
            while (true) await Task.Yield();
        });
        world.Run(stepsMax: 1000).ShouldBe(RunEnd.StepsUsedUp);
    }

    [Fact]
    public void A_killed_node_runs_nothing_more_at_whatever_await_it_is()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        var beats = 0;
        node.Start(async () =>
        {
            while (true)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), node.Time);
                beats++;
            }
        });
        world.After(TimeSpan.FromSeconds(5.5), "kill", node.Kill);
        world.Run(length: TimeSpan.FromMinutes(1));
        beats.ShouldBe(5);
    }

    [Fact]
    public void A_call_sent_before_the_kill_may_still_happen_but_is_not_answered()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        var (applied, answered) = (false, false);
        node.Start(async () =>
        {
            await node.CallAsync("write", () => { applied = true; });
            answered = true;
        });
        world.Run(stepsMax: 1);
        node.Kill();
        world.Run();
        (applied, answered).ShouldBe((true, false));
    }

    [Fact]
    public void A_frozen_node_is_held_back_and_goes_on_where_it_was()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        TimeSpan? woke = null;
        node.Start(async () =>
        {
            await Task.Delay(TimeSpan.FromSeconds(10), node.Time);
            woke = world.Elapsed;
        });
        world.After(TimeSpan.FromSeconds(5), "freeze", node.Freeze);
        world.After(TimeSpan.FromSeconds(60), "thaw", node.Thaw);
        world.Run();
        woke.ShouldBe(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void Nodes_see_true_time_through_their_clock_offsets()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a", TimeSpan.FromSeconds(-90));
        (node.Time.GetUtcNow() - world.Now).ShouldBe(TimeSpan.FromSeconds(-90));
        node.Time.GetTimestamp().ShouldBe(world.Now.UtcTicks);
    }

    [Theory]
    [InlineData(1, 0, 0, 1)]
    [InlineData(0, 1, 1, 1)]
    [InlineData(0, 0, 1, 0)]
    public void Calls_fail_before_or_after_they_are_carried_out_by_plan(double before, double after, int applied, int failed)
    {
        var world = new SimulatedWorld(1) { Faults = new FaultPlan { FailBefore = before, FailAfter = after } };
        var node = world.AddNode("a");
        var (applications, failures) = (0, 0);
        node.Start(async () =>
        {
            try
            {
                await node.CallAsync("write", () => { applications++; });
            }
            catch (LogUnavailableException)
            {
                failures++;
            }
        });
        world.Run();
        (applications, failures).ShouldBe((applied, failed));
    }

    [Fact]
    public void One_seed_gives_one_trace_and_another_seed_another()
    {
        var hashes = new[] { 7L, 7L, 8L }.Select(Chatter).ToList();
        hashes[1].ShouldBe(hashes[0]);
        hashes[2].ShouldNotBe(hashes[0]);
    }

    [Fact]
    public void Code_that_leaves_the_thread_fails_the_run()
    {
        var world = new SimulatedWorld(1);
        var node = world.AddNode("a");
        using var left = new ManualResetEventSlim();
        var back = new TaskCompletionSource();
        node.Start(async () => await back.Task);
        world.Run();
        var thread = new Thread(() =>
        {
            back.TrySetResult();
            left.Set();
        });
        thread.Start();
        left.Wait(TimeSpan.FromSeconds(20)).ShouldBeTrue();
        Should.Throw<SimulationException>(() => world.Run()).Message.ShouldContain("another thread");
        thread.Join();
    }

    [Fact]
    public void A_task_of_a_node_that_fails_fails_the_run_and_names_the_seed()
    {
        var world = new SimulatedWorld(4711);
        var node = world.AddNode("a");
        node.Start(async () =>
        {
            await Task.Yield();
            throw new InvalidOperationException("broken");
        });
        var failure = Should.Throw<SimulationException>(() => world.Run());
        failure.Message.ShouldContain("4711");
        failure.Message.ShouldContain("broken");
    }

    private static ulong Chatter(long seed)
    {
        var world = new SimulatedWorld(seed) { Faults = FaultPlan.Rough };
        for (var n = 0; n < 3; n++)
        {
            var node = world.AddNode($"n{n}");
            node.Start(async () =>
            {
                for (var call = 0; call < 50; call++)
                {
                    try
                    {
                        await node.CallAsync("ping", static () => true);
                    }
                    catch (LogUnavailableException)
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(node.Random.Next(50)), node.Time);
                    }
                }
            });
        }

        world.Run().ShouldBe(RunEnd.Idle);
        return world.TraceHash;
    }
}
