using Belfry.Log;
using Belfry.Outbox;
using Belfry.Server.Hosting;
using Belfry.Testing;

namespace Belfry.Server.Tests.Hosting;

public sealed class ReadinessTests
{
    private readonly ManualTime _time = new();
    private readonly CancellationTokenSource _stopping = new();
    private HopStatus[] _hops = [Hop("incidents"), Hop("timeline")];
    private ConsumerHealth[] _consumers = [Consumer(StallClass.None), Consumer(StallClass.None)];
    private Func<Task> _log = () => Task.CompletedTask;
    private Func<Task> _store = () => Task.CompletedTask;
    private int _questions;

    [Theory]
    [InlineData(StallClass.Head)]
    [InlineData(StallClass.Handler)]
    [InlineData(StallClass.Commit)]
    [InlineData(StallClass.Orphan)]
    [InlineData(StallClass.Fetch)]
    public async Task Hops_that_stand_still_behind_a_store_that_is_away_take_no_requests_from_an_instance_that_can_accept(StallClass stuck)
    {
        var readiness = Of("api,incidents,timeline");
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        _store = () => Task.FromException(new StoreUnavailableException("away"));
        _consumers = [Consumer(stuck), Consumer(stuck)];
        _hops = [Hop("incidents", running: false, restarts: 3), Hop("timeline")];
        _time.Advance(TimeSpan.FromMinutes(1));
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        readiness.IsLive.ShouldBeTrue();
    }

    [Fact]
    public async Task Either_of_log_and_store_is_enough_and_with_both_away_requests_go_elsewhere_until_one_is_back()
    {
        var readiness = Of("api");
        _log = () => Task.FromException(new LogUnavailableException("away"));
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        _store = () => Task.FromException(new StoreUnavailableException("away"));
        _time.Advance(TimeSpan.FromSeconds(2));
        (await readiness.IsReadyAsync()).ShouldBeFalse();
        _log = () => Task.CompletedTask;
        _time.Advance(TimeSpan.FromSeconds(2));
        (await readiness.IsReadyAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task Without_a_detour_the_log_alone_decides()
    {
        _log = () => Task.FromException(new LogUnavailableException("away"));
        (await Of("api", detour: false).IsReadyAsync()).ShouldBeFalse();
        _log = () => Task.CompletedTask;
        (await Of("api", detour: false).IsReadyAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task An_instance_that_begins_is_ready_once_every_hop_has_begun_and_has_its_partitions()
    {
        var readiness = Of("api");
        (_hops, _consumers) = ([], []);
        (await readiness.IsReadyAsync()).ShouldBeFalse("its hops are not there yet");
        _hops = [Hop("incidents", running: false), Hop("timeline")];
        (await readiness.IsReadyAsync()).ShouldBeFalse("one has not begun");
        _hops = [Hop("incidents"), Hop("timeline")];
        _consumers = [Consumer(StallClass.None) with { IsAssigned = false }];
        (await readiness.IsReadyAsync()).ShouldBeFalse("one waits for its partitions");
        _consumers = [Consumer(StallClass.None)];
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        _consumers = [Consumer(StallClass.None) with { IsAssigned = false }];
        (await readiness.IsReadyAsync()).ShouldBeTrue("a hop that is started again makes no new instance");
    }

    [Fact]
    public async Task One_that_is_to_be_restarted_or_stops_gets_no_more_requests()
    {
        var readiness = Of("api");
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        _consumers = [Consumer(StallClass.Poll) with { FailsLiveness = true }];
        (await readiness.IsReadyAsync()).ShouldBeFalse();
        readiness.IsLive.ShouldBeFalse();
        _consumers = [Consumer(StallClass.None)];
        await _stopping.CancelAsync();
        (await readiness.IsReadyAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task One_that_serves_no_requests_is_ready_while_its_hops_work()
    {
        var readiness = Of("incidents");
        (await readiness.IsReadyAsync()).ShouldBeTrue();
        _questions.ShouldBe(0);
        _consumers = [Consumer(StallClass.Head)];
        (await readiness.IsReadyAsync()).ShouldBeFalse();
    }

    [Fact]
    public async Task What_hangs_is_asked_once_however_often_the_instance_is_and_is_told_after_a_second()
    {
        var answer = new TaskCompletionSource();
        (_log, _store) = (() => answer.Task, () => answer.Task);
        var readiness = Of("api");
        var asked = Enumerable.Range(0, 50).Select(_ => readiness.IsReadyAsync()).ToList();
        asked.ShouldAllBe(one => !one.IsCompleted);
        _time.Advance(AcceptProbe.AnswerMax);
        (await Task.WhenAll(asked)).ShouldAllBe(one => !one);
        for (var n = 0; n < 30; n++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            (await readiness.IsReadyAsync()).ShouldBeFalse();
        }

        _questions.ShouldBe(2, "a question that hangs may hold a connection");
        answer.SetResult();
        (await readiness.IsReadyAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task Each_question_to_the_log_goes_to_another_partition()
    {
        var log = new AskedLog();
        var question = new PartitionsInTurn(log, new TopicDeclaration("incoming", 3, CleanUp.Time, TimeSpan.FromDays(1)));
        for (var n = 0; n < 4; n++) await question.AskAsync();
        log.Asked.ShouldBe([0, 1, 2, 0]);
    }

    private sealed class AskedLog() : ForwardingLog(new SimulatedLog(TimeProvider.System))
    {
        public List<int> Asked { get; } = [];

        public override ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel)
        {
            Asked.Add(source.Partition);
            return new((0, 0));
        }
    }

    private Readiness Of(string roles, bool detour = true) => new(
        RoleSet.Read(roles, []), () => _hops, () => _consumers,
        new AcceptProbe(() => Counted(_log), detour ? () => Counted(_store) : null, _time), _stopping.Token);

    private Task Counted(Func<Task> ask)
    {
        _questions++;
        return ask();
    }

    private static HopStatus Hop(string name, bool running = true, int restarts = 0) => new(name, running, restarts, null);

    private static ConsumerHealth Consumer(StallClass found) => new() { Group = "g", Class = found, IsAssigned = true };
}
