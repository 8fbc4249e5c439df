using Belfry.Testing;

namespace Belfry.Log.Tests;

public sealed class BatchOwnerTests
{
    private static readonly TopicPartition A = new("a", 0);
    private static readonly TopicPartition B = new("b", 0);
    private readonly SimulatedWorld _world = new(1);
    private readonly ScriptedFold _fold = new();
    private readonly Said _said = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly SimulatedNode _node;
    private readonly BatchOwner _owner;

    public BatchOwnerTests()
    {
        _node = _world.AddNode("node");
        _fold.Time = _node.Time;
        var options = new BatchOwnerOptions { BatchRecordsMax = 8, IsTransient = e => e is TimeoutException };
        _owner = new BatchOwner([A, B], _fold, options, _node.Time, _said);
    }

    [Fact]
    public void Batches_keep_the_order_of_arrival_and_the_bound_and_move_the_mark()
    {
        Offer(A, 0, 10);
        Offer(B, 5, 3);
        Start();
        _world.Run();
        _fold.Folded.Select(r => $"{r}").ShouldBe([.. Range(A, 0, 10), .. Range(B, 5, 3)]);
        _fold.Sizes.ShouldBe([8, 5]);
        (_owner.LowWaterMark(A), _owner.LowWaterMark(B), _owner.Held).ShouldBe((10, 8, 0));
    }

    [Fact]
    public void The_mark_is_unknown_until_loaded_and_then_the_loaded_position()
    {
        _fold.Positions[A] = 4;
        _owner.LowWaterMark(A).ShouldBeNull();
        Start();
        _world.Run();
        (_owner.LowWaterMark(A), _owner.LowWaterMark(B)).ShouldBe((4L, null));
    }

    [Fact]
    public void Records_below_the_loaded_position_are_skipped_by_source()
    {
        _fold.Positions[A] = 3;
        Offer(A, 0, 5);
        Offer(B, 0, 2);
        Start();
        _world.Run();
        _fold.Folded.Select(r => $"{r}").ShouldBe([.. Range(A, 3, 2), .. Range(B, 0, 2)]);
    }

    [Fact]
    public void A_transient_fault_is_repeated_without_end_with_a_growing_pause_and_a_new_load()
    {
        _fold.Fault = (_, turn) => turn <= 20 ? new TimeoutException("slow") : null;
        Offer(A, 0, 4);
        Start();
        _world.Run();
        _fold.Loads.ShouldBe(21);
        _fold.Rejected.ShouldBeEmpty();
        _owner.LowWaterMark(A).ShouldBe(4);
        // 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s, then fifteen of 30 x 0.2 s.
        _world.Elapsed.ShouldBe(TimeSpan.FromSeconds(6.2 + (15 * 6)));
    }

    [Fact]
    public void A_turn_that_was_made_durable_but_reported_failed_is_not_folded_twice()
    {
        _fold.AppliesBeforeFault = true;
        _fold.Fault = (_, turn) => turn == 1 ? new LogUnavailableException("who knows") : null;
        Offer(A, 0, 4);
        Start();
        _world.Run();
        _fold.Folded.Count.ShouldBe(4);
        _owner.LowWaterMark(A).ShouldBe(4);
    }

    [Fact]
    public void A_poison_record_is_narrowed_down_to_and_rejected_alone()
    {
        _fold.Fault = (batch, _) => batch.Any(r => r.Source == A && r.Offset == 5) ? new FormatException("bad bytes") : null;
        Offer(A, 0, 20);
        Start();
        _world.Run();
        var (record, reason) = _fold.Rejected.ShouldHaveSingleItem();
        (record.Offset, reason).ShouldBe((5, "FormatException: bad bytes"));
        _fold.Folded.Select(r => r.Offset).ShouldBe(Enumerable.Range(0, 20).Where(n => n != 5).Select(n => (long)n));
        _fold.AloneTries.ShouldBe(3);
        _owner.LowWaterMark(A).ShouldBe(20);
    }

    [Fact]
    public void A_load_that_fails_is_repeated()
    {
        _fold.LoadFaults = 3;
        Offer(A, 0, 2);
        Start();
        _world.Run();
        _owner.LowWaterMark(A).ShouldBe(2);
    }

    [Fact]
    public void A_newer_owner_ends_this_one_and_stops_the_fold()
    {
        _fold.Fault = (_, _) => new OwnershipLostException("newer");
        Offer(A, 0, 2);
        Start();
        Should.Throw<SimulationException>(() => _world.Run()).InnerException.ShouldBeOfType<OwnershipLostException>();
        _fold.Stops.ShouldBe(1);
        _owner.LowWaterMark(A).ShouldBeNull();
    }

    [Fact]
    public void A_stop_waits_for_the_turn_starts_no_other_and_leaves_the_mark_final()
    {
        _fold.Takes = TimeSpan.FromSeconds(2);
        Offer(A, 0, 20);
        Start();
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(2));
        (_owner.LowWaterMark(A), _fold.Stops).ShouldBe((8, 1));
        Offer(A, 20, 5);
        _world.Run();
        _owner.LowWaterMark(A).ShouldBe(8);
    }

    [Fact]
    public void A_stop_gives_up_on_a_turn_at_the_end_of_its_budget()
    {
        _fold.Takes = TimeSpan.FromMinutes(5);
        Offer(A, 0, 4);
        Start();
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(6));
        (_owner.LowWaterMark(A), _fold.Stops).ShouldBe((null, 1));
    }

    [Fact]
    public void A_folds_callback_that_throws_as_a_stop_gives_up_is_logged_and_the_owner_ends()
    {
        _fold.Takes = TimeSpan.FromMinutes(5);
        _fold.Begun = cancel => cancel.Register(() => throw new InvalidOperationException("has ended"));
        Offer(A, 0, 4);
        Start();
        _world.Run(length: TimeSpan.FromSeconds(1));
        var stopped = Stop(TimeSpan.FromSeconds(5));
        _world.Run();
        stopped().ShouldBe(TimeSpan.FromSeconds(6));
        _fold.Stops.ShouldBe(1);
        _said.Lines.ShouldContain(line => line.StartsWith($"Error: A callback on a token of {A}+{B}") && line.Contains("has ended"));
    }

    [Fact]
    public void Records_offered_while_it_waits_wake_it()
    {
        Start();
        _world.Run();
        Offer(A, 0, 1);
        _world.Run();
        _owner.LowWaterMark(A).ShouldBe(1);
    }

    private static IEnumerable<string> Range(TopicPartition source, int from, int count) =>
        Enumerable.Range(from, count).Select(n => $"{source}@{n}");

    private void Start() => _node.Start(() => _owner.RunAsync(_cancel.Token));

    private Func<TimeSpan?> Stop(TimeSpan budget)
    {
        TimeSpan? at = null;
        _node.Start(async () =>
        {
            using var limit = new CancellationTokenSource(budget, _node.Time);
            await _owner.StopAsync(limit.Token);
            at = _world.Elapsed;
        });
        return () => at;
    }

    private void Offer(TopicPartition source, long from, int count) =>
        _owner.Offer([.. Enumerable.Range(0, count).Select(n => LaneModel.Record(from + n, "k") with { Source = source })]);
}
