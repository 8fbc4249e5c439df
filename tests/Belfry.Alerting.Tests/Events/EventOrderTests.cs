using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Events.DetourSteps;

namespace Belfry.Alerting.Tests.Events;

/// <summary>
/// What was acknowledged by one process stands before what is sent to another one afterwards, while the store can be asked.
/// </summary>
public sealed class EventOrderTests : IDisposable
{
    private static readonly TimeSpan JustBeforeKnown = DetourWatch.ViewLife - TimeSpan.FromMilliseconds(1);
    private static readonly StoreUnavailableException StoreAway = new("away");
    private static readonly LogUnavailableException LogAway = new("away");
    private readonly DetourTime _time = new();
    private readonly SwitchedLog _log = new();
    private readonly SwitchedStore _store = new();
    private readonly Instance _one;
    private readonly Instance _two;

    public EventOrderTests()
    {
        _one = Start();
        _two = Start();
    }

    public void Dispose() => _store.Inner.Dispose();

    [Fact]
    public async Task An_event_goes_behind_what_another_process_has_waiting_of_its_service_and_no_other()
    {
        await DetourAsync(_one, "a", "1");
        await TakeAsync(_two, "a", "2");
        await TakeAsync(_two, "b", "3");
        _log.Appended.ShouldBe(["3"]);
        (await WaitingAsync()).ShouldBe(["1", "2"]);
    }

    [Fact]
    public async Task A_detour_is_acknowledged_once_no_view_without_it_counts()
    {
        // A view as young as can be that does not show it.
        await TakeAsync(_two, "b", "0");
        _log.Fault = LogAway;
        var sending = SendAsync(_one, "a", "1");
        await UntilAsync(() => _time.Durable == 1);
        _log.Fault = null;
        _time.Advance(JustBeforeKnown);
        sending.IsCompleted.ShouldBeFalse("another process may still take the lane for empty");
        await SendAsync(_two, "a", "sent before it was acknowledged");
        _log.Appended.ShouldBe(["0", "sent before it was acknowledged"]);
        _time.Advance(EventDetour.KnownToAll - JustBeforeKnown);
        await sending.WaitAsync(Patience);
        await TakeAsync(_two, "a", "2");
        (await WaitingAsync()).ShouldBe(["1", "2"]);
    }

    [Fact]
    public async Task Once_all_is_published_events_of_all_processes_go_to_the_log_again()
    {
        await DetourAsync(_one, "a", "1");
        await TakeAsync(_two, "a", "2");
        await PublishAsync(_two);
        await TakeAsync(_one, "a", "3");
        await TakeAsync(_two, "a", "4");
        _log.Appended.ShouldBe(["1", "2", "3", "4"]);
        _one.Detour.HasSome("a").ShouldBeFalse("the look has shown that another process published it");
    }

    [Fact]
    public async Task Without_a_young_view_an_event_waits_for_a_look_and_then_goes_behind()
    {
        await DetourAsync(_one, "a", "1");
        _store.LooksHang = true;
        var sending = SendAsync(_two, "a", "2");
        _time.Advance(TimeSpan.FromMilliseconds(249));
        (await WaitingAsync()).ShouldBe(["1"]);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await AcknowledgedAsync(2, sending);
        (await WaitingAsync()).ShouldBe(["1", "2"]);
        _log.Appended.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_look_that_ends_in_time_lets_the_event_go_to_the_log()
    {
        _time.Advance(TimeSpan.FromMinutes(1));
        _store.LooksHang = true;
        var sending = SendAsync(_two, "a", "1");
        _time.Advance(TimeSpan.FromMilliseconds(249));
        sending.IsCompleted.ShouldBeFalse();
        _store.LooksHang = false;
        _store.AnswerLooks();
        await sending.WaitAsync(Patience);
        _log.Appended.ShouldBe(["1"]);
    }

    [Fact]
    public async Task A_store_that_refuses_looks_is_away_once_the_view_is_old_and_events_go_to_the_log_at_once()
    {
        using var routes = new RouteCounts(_two.Inlet);
        await DetourAsync(_one, "a", "1");
        await TakeAsync(_two, "b", "2");
        (_store.LookFault, _store.Fault) = (StoreAway, StoreAway);
        _time.Advance(DetourWatch.LookInterval);
        await SendAsync(_two, "c", "3").WaitAsync(Patience);
        _time.Advance(DetourWatch.ViewLife);
        var writes = _store.Writes;
        await SendAsync(_two, "a", "4").WaitAsync(Patience);
        await SendAsync(_two, "a", "5").WaitAsync(Patience);
        _store.Writes.ShouldBe(writes, "nobody has to wait for a store that was found away");
        _log.Appended.ShouldBe(["2", "3", "4", "5"]);
        // The last two may have overtaken.
        routes.ShouldBe(("log", 2), ("log_past", 2));
    }

    [Fact]
    public async Task A_look_that_fails_once_costs_no_order_while_the_view_before_it_is_young()
    {
        await DetourAsync(_one, "a", "1");
        await TakeAsync(_two, "b", "2");
        _store.LookFault = StoreAway;
        _time.Advance(DetourWatch.LookInterval);
        await TakeAsync(_two, "a", "3");
        (await WaitingAsync()).ShouldBe(["1", "3"]);
    }

    [Fact]
    public async Task A_store_that_comes_back_is_asked_again_before_anything_goes_to_the_log()
    {
        await DetourAsync(_one, "a", "1");
        (_store.LookFault, _store.Fault) = (StoreAway, StoreAway);
        await SendAsync(_two, "b", "2").WaitAsync(Patience);
        _log.Appended.ShouldBe(["2"]);
        (_store.LookFault, _store.Fault) = (null, null);
        _time.Advance(DetourWatch.LookInterval);
        await UntilAsync(() => _two.Detour.HasSome("a"));
        await TakeAsync(_two, "a", "3");
        (await WaitingAsync()).ShouldBe(["1", "3"]);
    }

    [Fact]
    public async Task A_process_that_was_frozen_trusts_nothing_it_knew_before()
    {
        await TakeAsync(_two, "b", "0");
        _store.LookFault = StoreAway;
        _time.Advance(DetourWatch.LookInterval);
        await SendAsync(_two, "b", "1").WaitAsync(Patience);
        _store.LookFault = null;
        await DetourAsync(_one, "a", "2");

        // Whatever its timers did meanwhile: neither its view nor that the store was away counts.
        _time.Advance(TimeSpan.FromSeconds(10));
        await TakeAsync(_two, "a", "3");
        (await WaitingAsync()).ShouldBe(["2", "3"]);
    }

    [Fact]
    public async Task Many_events_of_one_service_put_no_other_behind()
    {
        _log.Fault = LogAway;
        const int Many = OutboxRelay.LotMax * 2;
        await AcknowledgedAsync(3, [.. Enumerable.Range(0, 3).Select(n => SendAsync(_one, $"b{n}", "the log is known away then"))]);
        var sendings = Enumerable.Range(0, Many).Select(n => SendAsync(_one, "a", $"{n}")).ToArray();
        await AcknowledgedAsync(3 + Many, sendings);
        _log.Fault = null;
        await TakeAsync(_two, "z", "other");
        _log.Appended.ShouldBe(["other"]);
    }

    [Fact]
    public async Task Behind_more_services_than_a_look_tells_of_all_wait()
    {
        _log.Fault = LogAway;
        var sendings = Enumerable.Range(0, DetourWatch.KeysMax + 1).Select(n => SendAsync(_one, $"service-{n}", $"{n}")).ToArray();
        await AcknowledgedAsync(sendings.Length, sendings);
        _log.Fault = null;
        await TakeAsync(_two, "z", "last");
        _log.Appended.ShouldBeEmpty();
        (await _store.Inner.PendingAsync(EventDetour.Lane, 5_000, default))[^1].Record.OrderingKey.ShouldBe("z");
    }

    [Fact]
    public async Task An_event_waits_for_those_of_its_service_to_be_published_and_goes_to_the_log_itself()
    {
        await DetourAsync(_one, "a", "1");
        await TakeAsync(_two, "b", "2");
        var (theirs, ours) = (SendAsync(_two, "a", "3"), SendAsync(_one, "a", "4"));
        await _store.Inner.DeleteAsync(
            EventDetour.Lane, [.. (await _store.Inner.PendingAsync(EventDetour.Lane, 10, default)).Select(m => m.Sequence)], default);
        _time.Advance(DetourWatch.LookInterval);
        await Task.WhenAll(theirs, ours).WaitAsync(Patience);
        _log.Appended.Order().ShouldBe(["2", "3", "4"]);
        _store.Writes.ShouldBe(1);
    }

    [Fact]
    public async Task With_the_log_known_away_nobody_waits_for_it_to_be_there()
    {
        await DetourAsync(_two, "b", "0");
        _log.Fault = LogAway;
        for (var n = 1; n <= 2; n++) await TakeAsync(_two, $"c{n}", $"{n}");
        var (durable, waits) = (_time.Durable, _time.Begun(DetourWatch.ClearPatience));
        var sending = SendAsync(_two, "c1", "4");
        await AcknowledgedAsync(durable + 1, sending);
        _time.Begun(DetourWatch.ClearPatience).ShouldBe(waits);
    }

    [Fact]
    public async Task A_sender_that_gives_up_while_all_come_to_know_leaves_a_durable_event_that_others_go_behind()
    {
        _log.Fault = LogAway;
        using var cancel = new CancellationTokenSource();
        var sending = _one.Inlet.AppendAsync(Record("a", "1"), cancel.Token).AsTask();
        await UntilAsync(() => _time.Durable == 1);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => sending.WaitAsync(Patience));
        _log.Fault = null;
        await TakeAsync(_one, "a", "2");
        (await WaitingAsync()).ShouldBe(["1", "2"]);
    }

    [Fact]
    public async Task The_wait_until_all_know_is_not_held_against_a_write_that_took_long()
    {
        _log.Fault = LogAway;
        var gate = _store.Close();
        var sending = SendAsync(_one, "a", "1");
        await UntilAsync(() => _store.Writes == 1);
        _time.Advance(TimeSpan.FromMilliseconds(1_900));
        gate.SetResult();
        await AcknowledgedAsync(1, sending);
        (await WaitingAsync()).ShouldBe(["1"]);
    }

    [Fact]
    public async Task While_events_come_the_lane_is_looked_at_ten_times_a_second_and_otherwise_not()
    {
        var before = _store.Looks;
        for (var n = 0; n < 100; n++)
        {
            await TakeAsync(_two, "a", $"{n}");
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }

        (_store.Looks - before).ShouldBe(10);
        _time.Advance(TimeSpan.FromMinutes(1));
        (_store.Looks - before).ShouldBe(10);
    }

    private Instance Start()
    {
        var detour = new EventDetour(_store, _log, _time, NullLogger.Instance);
        return new Instance(detour, new EventInlet(_log, detour, _time));
    }

    private async Task DetourAsync(Instance to, string service, string text)
    {
        _log.Fault = LogAway;
        await TakeAsync(to, service, text);
        _log.Fault = null;
    }

    private static Task SendAsync(Instance to, string service, string text) => to.Inlet.SendAsync(service, text);

    private Task TakeAsync(Instance to, string service, string text) => to.Inlet.TakeAsync(_time, service, text);

    private Task AcknowledgedAsync(int durable, params Task[] sendings) => _time.AcknowledgedAsync(durable, sendings);

    private Task<List<string>> WaitingAsync() => _store.WaitingAsync();

    private async Task PublishAsync(Instance by)
    {
        using var stop = new CancellationTokenSource();
        var running = Task.Run(() => by.Detour.RunAsync(stop.Token));
        await UntilAsync(() => !by.Detour.HasSome("a"));
        await stop.CancelAsync();
        await running.WaitAsync(Patience);
    }

    private sealed record Instance(EventDetour Detour, EventInlet Inlet);
}
