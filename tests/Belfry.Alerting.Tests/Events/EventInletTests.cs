using Belfry.Alerting.Events;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Events.DetourSteps;

namespace Belfry.Alerting.Tests.Events;

/// <summary>One of log and store is enough, and neither makes an event of a service overtake another.</summary>
public sealed class EventInletTests : IAsyncDisposable
{
    private readonly DetourTime _time = new();
    private readonly SwitchedLog _log = new();
    private readonly SwitchedStore _store = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly EventDetour _detour;
    private readonly EventInlet _inlet;
    private readonly RouteCounts _routes;
    private Task _running = Task.CompletedTask;

    public EventInletTests()
    {
        _detour = new EventDetour(_store, _log, _time, NullLogger.Instance);
        _inlet = new EventInlet(_log, _detour, _time);
        _routes = new RouteCounts(_inlet);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(Patience);
        _stop.Dispose();
        _store.Inner.Dispose();
        _routes.Dispose();
    }

    [Fact]
    public async Task An_event_goes_to_the_log_while_that_answers()
    {
        await TakeAsync("a", "1");
        _log.Appended.ShouldBe(["1"]);
        _store.Writes.ShouldBe(0);
    }

    [Fact]
    public async Task An_event_that_the_log_refuses_is_durable_in_the_outbox_and_is_published_once_the_log_is_back()
    {
        _log.Fault = new LogUnavailableException("away");
        await TakeAsync("a", "1");
        _detour.HasSome("a").ShouldBeTrue();
        (await _store.Inner.PendingAsync(EventDetour.Lane, 10, default)).Count.ShouldBe(1);
        _log.Fault = null;
        Start();
        await UntilAsync(() => !_detour.HasSome("a"));
        _log.Appended.ShouldBe(["1"]);
    }

    [Fact]
    public async Task A_log_that_does_not_answer_costs_250_ms_and_after_three_times_nothing()
    {
        _log.Hangs = true;
        for (var n = 1; n <= 3; n++)
        {
            var sending = SendAsync($"service-{n}", $"{n}");
            _time.Advance(TimeSpan.FromMilliseconds(249));
            _store.Writes.ShouldBe(n - 1);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            await AcknowledgedAsync(n, sending);
        }

        await TakeAsync("service-4", "4");
        _log.Asked.ShouldBe(3);
        _store.Writes.ShouldBe(4);

        // One probe after the pause, and by its success all go to the log again.
        _log.Hangs = false;
        _time.Advance(TimeSpan.FromSeconds(1));
        await TakeAsync("service-5", "5");
        await TakeAsync("service-6", "6");
        _log.Appended.ShouldBe(["5", "6"]);
        _routes.ShouldBe(("outbox_slow", 3), ("outbox_away", 1), ("log", 2));
    }

    [Fact]
    public async Task Events_of_a_service_follow_those_of_it_that_wait_and_other_services_do_not()
    {
        _log.Fault = new LogUnavailableException("away");
        await TakeAsync("a", "1");
        _log.Fault = null;
        await TakeAsync("a", "2");
        await TakeAsync("b", "3");
        _log.Appended.ShouldBe(["3"]);
        Start();
        await UntilAsync(() => !_detour.HasSome("a"));
        _log.Appended.ShouldBe(["3", "1", "2"]);
        await TakeAsync("a", "4");
        _log.Appended.ShouldBe(["3", "1", "2", "4"]);
        _routes.ShouldBe(("outbox_slow", 1), ("outbox_behind", 1), ("log", 2));
    }

    [Fact]
    public async Task With_both_away_the_sender_hears_of_it_and_what_may_be_written_keeps_its_service_in_order()
    {
        _log.Fault = new LogUnavailableException("away");
        _store.FailsAfter = true;
        await Should.ThrowAsync<StoreUnavailableException>(() => TakeAsync("a", "1"));
        (_log.Fault, _store.FailsAfter) = (null, false);
        await TakeAsync("a", "2");
        _log.Appended.ShouldBeEmpty("the first was written although its answer was lost");
        Start();
        await UntilAsync(() => !_detour.HasSome("a"));
        _log.Appended.ShouldBe(["1", "2"]);
    }

    [Fact]
    public async Task A_log_that_is_there_takes_what_cannot_go_behind_the_others_since_the_store_is_away()
    {
        (_log.Fault, _store.Fault) = (new LogUnavailableException("away"), new StoreUnavailableException("away"));
        await Should.ThrowAsync<StoreUnavailableException>(() => TakeAsync("a", "1"));
        _log.Fault = null;
        await TakeAsync("a", "2");
        _log.Appended.ShouldBe(["2"]);
    }

    [Fact]
    public async Task Events_that_come_while_one_is_written_are_written_together_in_their_order()
    {
        _log.Fault = new LogUnavailableException("away");
        var gate = _store.Close();

        // Off the test's own context, which hands thousands of continuations on one by one, behind those of all other tests.
        var takings = await Task.Run(() => Enumerable.Range(1, 1_200).Select(n => SendAsync($"service-{n % 7}", $"{n}")).ToArray());
        takings.Any(taking => taking.IsCompleted).ShouldBeFalse();
        gate.SetResult();
        await AcknowledgedAsync(1_200, takings);
        _store.Writes.ShouldBe(4, "the first alone, then lots of 500");
        (await WaitingAsync()).ShouldBe(Enumerable.Range(1, 1_200).Select(n => $"{n}"));
    }

    [Fact]
    public async Task A_lot_that_the_store_refuses_is_refused_to_each_of_its_senders_and_the_next_is_written()
    {
        (_log.Fault, _store.Fault) = (new LogUnavailableException("away"), new StoreUnavailableException("away"));
        var gate = _store.Close();
        var takings = Enumerable.Range(1, 3).Select(n => SendAsync($"service-{n}", $"{n}")).ToList();
        gate.SetResult();
        foreach (var taking in takings) await Should.ThrowAsync<StoreUnavailableException>(() => taking.WaitAsync(Patience));
        _store.Fault = null;
        await TakeAsync("service-4", "4");
        (await WaitingAsync()).ShouldBe(["4"]);
    }

    [Fact]
    public async Task A_fault_of_one_event_is_told_to_its_sender_alone()
    {
        _log.Fault = new LogUnavailableException("away");
        var gate = _store.Close();
        var takings = Enumerable.Range(1, 4).Select(n => SendAsync($"service-{n}", n == 3 ? SwitchedStore.Poison : $"{n}")).ToList();
        gate.SetResult();
        await Should.ThrowAsync<FormatException>(() => takings[2].WaitAsync(Patience));
        await AcknowledgedAsync(3, [.. takings.Where((_, at) => at != 2)]);
        (await WaitingAsync()).ShouldBe(["1", "2", "4"]);
    }

    [Fact]
    public async Task Senders_that_give_up_leave_nobody_waiting_and_what_had_not_gone_out_is_not_written()
    {
        _log.Fault = new LogUnavailableException("away");
        var gate = _store.Close();
        using var cancel = new CancellationTokenSource();
        var first = _inlet.AppendAsync(Record("a", "1"), cancel.Token).AsTask();
        var second = _inlet.AppendAsync(Record("b", "2"), cancel.Token).AsTask();
        var third = SendAsync("c", "3");
        await cancel.CancelAsync();
        foreach (var taking in (Task[])[first, second])
            await Should.ThrowAsync<OperationCanceledException>(() => taking.WaitAsync(Patience));
        gate.SetResult();
        await AcknowledgedAsync(1, third);
        (await WaitingAsync()).ShouldBe(["1", "3"]);
        _log.Fault = null;
        Start();
        await UntilAsync(() => !_detour.HasSome("a") && !_detour.HasSome("b") && !_detour.HasSome("c"));
        _log.Appended.ShouldBe(["1", "3"]);
    }

    [Fact]
    public async Task A_process_that_starts_puts_what_comes_behind_what_waits_whoever_left_it()
    {
        _log.Fault = new LogUnavailableException("away");
        await TakeAsync("a", "1");
        _log.Fault = null;
        var next = new EventDetour(_store, _log, _time, NullLogger.Instance);
        await next.LookAsync(default);
        var inlet = new EventInlet(_log, next, _time);
        var second = inlet.AppendAsync(Record("a", "2"), default).AsTask();
        await inlet.AppendAsync(Record("b", "3"), default);
        _time.Advance(DetourWatch.ClearPatience);
        await AcknowledgedAsync(2, second);
        _log.Appended.ShouldBe(["3"]);
        _running = Task.Run(() => next.RunAsync(_stop.Token));
        await UntilAsync(() => !next.HasSome("a"));
        await inlet.AppendAsync(Record("a", "4"), default);
        _log.Appended.ShouldBe(["3", "1", "2", "4"]);
    }

    [Fact]
    public async Task A_process_that_starts_with_more_services_waiting_than_it_can_see_puts_all_behind_until_they_are_fewer()
    {
        _log.Fault = new LogUnavailableException("away");
        var takings = Enumerable.Range(0, DetourWatch.KeysMax + 1).Select(n => SendAsync($"service-{n}", $"{n}")).ToArray();
        await AcknowledgedAsync(takings.Length, takings);
        _log.Fault = null;
        var next = new EventDetour(_store, _log, _time, NullLogger.Instance);
        await next.LookAsync(default);
        next.HasSome("another").ShouldBeTrue();
        _running = Task.Run(() => next.RunAsync(_stop.Token));
        await UntilAsync(() => !next.HasSome("another"));
        _log.Appended.Count.ShouldBe(takings.Length);
    }

    [Fact]
    public async Task What_a_former_process_left_is_published()
    {
        _log.Fault = new LogUnavailableException("away");
        await TakeAsync("a", "1");
        _log.Fault = null;
        var next = new EventDetour(_store, _log, _time, NullLogger.Instance);
        _running = Task.Run(() => next.RunAsync(_stop.Token));
        await UntilAsync(() => _log.Appended.Count == 1);
    }

    [Fact]
    public async Task A_store_and_log_of_one_disk_have_no_detour()
    {
        var inlet = new EventInlet(_log, null, _time);
        _log.Fault = new LogUnavailableException("away");
        await Should.ThrowAsync<LogUnavailableException>(async () => await inlet.AppendAsync(Record("a", "1"), default));
        _store.Writes.ShouldBe(0);
    }

    private void Start() => _running = Task.Run(() => _detour.RunAsync(_stop.Token));

    private Task SendAsync(string service, string text) => _inlet.SendAsync(service, text);

    private Task TakeAsync(string service, string text) => _inlet.TakeAsync(_time, service, text);

    private Task AcknowledgedAsync(int durable, params Task[] sendings) => _time.AcknowledgedAsync(durable, sendings);

    private Task<List<string>> WaitingAsync() => _store.WaitingAsync();
}
