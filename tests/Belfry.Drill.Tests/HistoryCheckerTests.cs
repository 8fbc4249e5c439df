using Belfry.Drill.Check;

namespace Belfry.Drill.Tests;

public class HistoryCheckerTests
{
    public static TheoryData<string> Broken => [.. BrokenHistories.All.Keys];

    [Fact]
    public void A_sound_history_passes()
    {
        var verdict = HistoryChecker.Check(SoundHistory.Make());

        verdict.Shown.ShouldBeEmpty();
        verdict.IsSound.ShouldBeTrue();
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_broken_history_is_flagged_by_name(string what)
    {
        var (kind, breakIt) = BrokenHistories.All[what];

        HistoryChecker.Check(breakIt(SoundHistory.Make())).Counts.Keys.ShouldContain(kind);
    }

    [Fact]
    public void Every_way_to_be_wrong_has_a_broken_history() =>
        Enum.GetValues<FindingKind>().Except(BrokenHistories.All.Values.Select(broken => broken.Kind)).ShouldBeEmpty();

    [Fact]
    public void A_page_that_a_kill_repeats_is_counted_and_allowed()
    {
        var verdict = HistoryChecker.Check(SoundHistory.Make());

        verdict.Figures["pages.repeated"].ShouldBe(1);
        verdict.Figures["pages.in_flight_at_faults"].ShouldBe(1);
    }

    [Fact]
    public void A_request_without_an_answer_may_take_effect_or_not()
    {
        var sound = SoundHistory.Make();
        var without = sound.Without(SoundHistory.Unanswered, line => line.Summary.StartsWith("Triggered again", StringComparison.Ordinal));

        HistoryChecker.Check(without).Shown.ShouldBeEmpty();
        HistoryChecker.Check(sound).Figures["events.unanswered"].ShouldBe(1);
    }

    [Fact]
    public void What_a_frozen_instance_ends_late_is_counted_and_allowed()
    {
        var history = SoundHistory.Make();
        var page = history.ReceiptOf(SoundHistory.Repeating);
        var frozen = history with { Faults = [.. history.Faults, new Fault(page.BeginNs, page.BeginNs, FaultKind.Freeze, "freeze n1")] };

        var verdict = HistoryChecker.Check(frozen.WithReceipt(SoundHistory.Repeating, one => one.Later(2)));

        verdict.Shown.ShouldBeEmpty();
        verdict.Figures["pages.frozen_overlaps"].ShouldBe(1);
    }

    [Fact]
    public void A_second_incident_is_allowed_where_a_request_was_never_answered()
    {
        var history = SoundHistory.Make();
        var first = history.Incidents.Single(incident => incident.Key == SoundHistory.Unanswered);
        var again = first.Entries.Single(line => line.Summary.StartsWith("Triggered again", StringComparison.Ordinal));
        var late = history.Without(SoundHistory.Unanswered, line => line.Id == again.Id);
        ReadEntry[] lines = [again with { Summary = "Triggered: f#1" }, new("told", "skipped", again.AtMs, "Not notified: ended.")];
        late = late with
        {
            Incidents = [.. late.Incidents, first with { Id = "i-f2", Number = 99, Level = 0, Entries = lines }],
            Log = [.. late.Log, .. lines.Select((line, place) => new LoggedEntry(1, place, line.Id, "i-f2"))],
        };

        var verdict = HistoryChecker.Check(late);

        verdict.Shown.ShouldBeEmpty();
        verdict.Figures["events.late_incidents"].ShouldBe(1);
    }

    [Fact]
    public void What_is_wrong_often_is_counted_and_shown_a_few_times()
    {
        var history = SoundHistory.Make();
        var invented = Enumerable.Range(0, 100).Select(n => new LoggedEntry(2, n, $"x{n}", $"none{n}"));

        var verdict = HistoryChecker.Check(history with { Log = [.. history.Log, .. invented] });

        verdict.Counts[FindingKind.FoldMismatch].ShouldBe(100);
        verdict.Shown.Count.ShouldBe(20);
    }

    [Fact]
    public void A_timer_that_was_due_in_a_blackout_is_late_from_its_end_on()
    {
        var history = SoundHistory.Make();
        HistoryChecker.Check(history).Figures["timers.late_max_ms"].ShouldBe(52);
        var dark = history with
        {
            // The snooze that ended at 5.51 s woke at 5.562 s.
            Faults = [.. history.Faults, new Fault(5_400_000_000, 5_540_000_000, FaultKind.Blackout, "kill all brokers")],
        };
        var figures = HistoryChecker.Check(dark).Figures;
        figures["timers.after_blackout_max_ms"].ShouldBe(22);
        figures["timers.late_max_ms"].ShouldBeLessThan(52);
        figures["timers.fired"].ShouldBe(2);
    }
}
