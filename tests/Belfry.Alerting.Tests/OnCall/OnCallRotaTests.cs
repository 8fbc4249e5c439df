using Belfry.Alerting.OnCall;
using static Belfry.Alerting.Tests.OnCall.Rotas;

namespace Belfry.Alerting.Tests.OnCall;

public sealed class OnCallRotaTests
{
    [Fact]
    public void Users_take_turns_and_the_rotation_wraps()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann, Bob));
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 1, 23, 59)).ShouldBe(Ann);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 2)).ShouldBe(Bob);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 3)).ShouldBe(Ann);
    }

    [Fact]
    public void Before_the_layer_starts_there_is_a_gap() =>
        OnCallRota.WhoIsOnCall(Schedule("UTC", Layer(Day, new(2026, 1, 2), Ann)), Utc(2026, 1, 1, 23, 59)).ShouldBeNull();

    [Fact]
    public void A_layer_ends_at_its_end_excluded()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann) with { End = new(2026, 1, 5, 12, 0, 0) });
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 5, 11, 59)).ShouldBe(Ann);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 5, 12)).ShouldBeNull();
    }

    [Fact]
    public void The_last_active_layer_wins()
    {
        var schedule = Schedule(
            "UTC", Layer(Day, new(2026, 1, 1), Ann), Layer(Day, new(2026, 1, 1), Bob) with { Restrictions = [Daily(9, 8)] });
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 1, 8)).ShouldBe(Ann);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 1, 9)).ShouldBe(Bob);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 1, 17)).ShouldBe(Ann);
    }

    [Fact]
    public void A_vacant_seat_keeps_the_cadence_and_leaves_a_gap()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann, null, Bob));
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 2, 5)).ShouldBeNull();
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 3, 5)).ShouldBe(Bob);
    }

    [Fact]
    public void A_vacant_seat_lets_the_lower_layer_through()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Cat), Layer(Day, new(2026, 1, 1), Ann, null));
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 2, 5)).ShouldBe(Cat);
    }

    [Fact]
    public void A_user_removed_at_the_instant_of_handoff_leaves_the_others_turns_alone()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann, Bob, Cat));
        var vacated = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann, null, Cat));
        OnCallRota.WhoIsOnCall(vacated, Utc(2026, 1, 2)).ShouldBeNull();
        foreach (var day in (int[])[1, 3, 4, 6])
            OnCallRota.WhoIsOnCall(vacated, Utc(2026, 1, day)).ShouldBe(OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, day)));
    }

    [Fact]
    public void Of_overlapping_overrides_the_last_created_wins()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann)) with
        {
            Overrides = [Over(Bob, Utc(2026, 1, 2), Utc(2026, 1, 5)), Over(Cat, Utc(2026, 1, 3), Utc(2026, 1, 4))],
        };
        OnCallRota.Shifts(
            schedule, Utc(2026, 1, 1), Utc(2026, 1, 7)).Final.Select(shift => shift.UserId).ShouldBe([Ann, Bob, Cat, Bob, Ann]);
    }

    [Fact]
    public void An_override_covers_a_gap_and_erases_none_elsewhere()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann) with { Restrictions = [Daily(9, 8)] }) with
        {
            Overrides = [Over(Bob, Utc(2026, 1, 1, 18), Utc(2026, 1, 1, 20))],
        };
        OnCallRota.Shifts(schedule, Utc(2026, 1, 1), Utc(2026, 1, 2)).Final.Select(s => (s.UserId, s.Start.Hour, s.End.Hour))
            .ShouldBe([(null, 0, 9), (Ann, 9, 17), (null, 17, 18), (Bob, 18, 20), (null, 20, 0)]);
    }

    [Fact]
    public void An_override_shorter_than_a_shift_splits_it()
    {
        var schedule = Schedule(
            "UTC", Layer(Week, new(2026, 1, 5), Ann, Bob)) with { Overrides = [Over(Cat, Utc(2026, 1, 6), Utc(2026, 1, 7))] };
        OnCallRota.Shifts(schedule, Utc(2026, 1, 5), Utc(2026, 1, 12)).Final.Select(shift => shift.UserId).ShouldBe([Ann, Cat, Ann]);
    }

    [Fact]
    public void An_override_ending_at_a_handoff_leaves_the_next_turn_whole()
    {
        var schedule = Schedule(
            "UTC", Layer(Day, new(2026, 1, 1), Ann, Bob)) with { Overrides = [Over(Cat, Utc(2026, 1, 1, 12), Utc(2026, 1, 2))] };
        OnCallRota.Shifts(schedule, Utc(2026, 1, 1), Utc(2026, 1, 3)).Final.Last().ShouldBe(
            new Shift(Bob, Utc(2026, 1, 2), Utc(2026, 1, 3)));
    }

    [Fact]
    public void An_override_by_the_same_user_is_a_shift_of_its_own()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann)) with { Overrides = [Over(Ann, Utc(2026, 1, 2), Utc(2026, 1, 3))] };
        OnCallRota.Shifts(schedule, Utc(2026, 1, 1), Utc(2026, 1, 4)).Final.Count.ShouldBe(3);
    }

    [Theory]
    [InlineData(2026, 3, 23, 167, 7)]
    [InlineData(2026, 10, 19, 169, 8)]
    public void A_weekly_handoff_stays_at_nine_and_its_week_has_an_hour_less_or_more(
        int year, int month, int day, int hours, int endHourUtc)
    {
        var schedule = Schedule("Europe/Berlin", Layer(Week, new(2026, 1, 5, 9, 0, 0), Ann, Bob));
        var from = new DateTimeOffset(year, month, day, 12, 0, 0, TimeSpan.Zero);
        var end = OnCallRota.NextChange(schedule, from)!.Value;
        var start = end;
        foreach (var shift in OnCallRota.Shifts(schedule, from.AddDays(-8), from.AddDays(8)).Final)
            if (shift.End == end) start = shift.Start;
        (end - start).TotalHours.ShouldBe(hours);
        end.Hour.ShouldBe(endHourUtc);
    }

    [Fact]
    public void An_ambiguous_handoff_happens_at_the_first_occurrence()
    {
        var schedule = Schedule("Europe/Berlin", Layer(Day, new(2026, 10, 20, 2, 30, 0), Ann, Bob));
        OnCallRota.Shifts(schedule, Utc(2026, 10, 24, 12), Utc(2026, 10, 25, 12)).Final[1].Start.ShouldBe(Utc(2026, 10, 25, 0, 30));
    }

    [Fact]
    public void A_skipped_handoff_moves_forward_to_the_first_valid_instant()
    {
        var schedule = Schedule("Europe/Berlin", Layer(Day, new(2026, 3, 20, 2, 30, 0), Ann, Bob));
        OnCallRota.Shifts(schedule, Utc(2026, 3, 28, 12), Utc(2026, 3, 29, 12)).Final[1].Start.ShouldBe(Utc(2026, 3, 29, 1));
    }

    [Fact]
    public void On_the_fall_back_night_a_restriction_runs_from_first_to_last_occurrence()
    {
        var restriction = new LayerRestriction(null, new TimeOnly(2, 15), 30 * 60);
        var schedule = Schedule("Europe/Berlin", Layer(Day, new(2026, 10, 1), Ann) with { Restrictions = [restriction] });
        var shift = OnCallRota.Shifts(schedule, Utc(2026, 10, 24, 12), Utc(2026, 10, 25, 12)).Final.Single(s => s.UserId == Ann);
        (shift.Start, shift.End).ShouldBe((Utc(2026, 10, 25, 0, 15), Utc(2026, 10, 25, 1, 45)));
    }

    [Fact]
    public void A_restriction_inside_the_skipped_hour_is_empty_that_night()
    {
        var restriction = new LayerRestriction(null, new TimeOnly(2, 15), 30 * 60);
        var schedule = Schedule("Europe/Berlin", Layer(Day, new(2026, 3, 1), Ann) with { Restrictions = [restriction] });
        OnCallRota.Shifts(schedule, Utc(2026, 3, 28, 12), Utc(2026, 3, 29, 12)).Final.ShouldHaveSingleItem().UserId.ShouldBeNull();
    }

    [Fact]
    public void A_half_hour_transition_is_followed()
    {
        var schedule = Schedule("Australia/Lord_Howe", Layer(Day, new(2026, 3, 30, 9, 0, 0), Ann, Bob));
        var final = OnCallRota.Shifts(schedule, Utc(2026, 4, 3), Utc(2026, 4, 7)).Final;
        final.Where((_, i) => i > 0 && i < final.Count - 1).ShouldContain(shift => (shift.End - shift.Start).TotalHours == 24.5);
    }

    [Fact]
    public void A_midnight_that_does_not_exist_hands_over_when_the_day_begins()
    {
        var schedule = Schedule("Africa/Cairo", Layer(Day, new(2026, 4, 20), Ann, Bob));
        OnCallRota.Shifts(schedule, Utc(2026, 4, 23, 12), Utc(2026, 4, 24, 12)).Final[1].Start.ShouldBe(Utc(2026, 4, 23, 22));
    }

    [Fact]
    public void Elapsed_turns_skip_people_over_the_weekend()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2026, 1, 5), Ann, Bob, Cat) with { Restrictions = Weekdays(0, 24) });
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 9, 12)).ShouldBe(Bob);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 10, 12)).ShouldBeNull();
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 12, 12)).ShouldBe(Bob);
    }

    [Fact]
    public void Covered_turns_go_on_with_the_next_person_after_the_weekend()
    {
        var layer = Layer(Day, new(2026, 1, 5), Ann, Bob, Cat) with { Restrictions = Weekdays(0, 24), Advance = TurnAdvance.Covered };
        var schedule = Schedule("UTC", layer);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 9, 12)).ShouldBe(Bob);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 12, 12)).ShouldBe(Cat);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 13, 12)).ShouldBe(Ann);
    }

    [Fact]
    public void A_weekly_restriction_that_wraps_over_sunday_covers_monday()
    {
        var weekend = new LayerRestriction(5, new TimeOnly(18, 0), 63 * Hour);
        var schedule = Schedule("UTC", Layer(Week, new(2026, 1, 1), Ann) with { Restrictions = [weekend] });
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 12, 8, 59)).ShouldBe(Ann);
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 12, 9)).ShouldBeNull();
    }

    [Fact]
    public void A_twelve_hour_turn_hands_over_twice_a_day() =>
        OnCallRota.Shifts(Schedule("UTC", Layer(12 * Hour, new(2026, 1, 1, 8, 0, 0), Ann, Bob)), Utc(2026, 1, 2), Utc(2026, 1, 3)).Final
            .Select(shift => shift.Start.Hour).ShouldBe([0, 8, 20]);

    [Fact]
    public void A_rotation_of_five_weeks_comes_round_after_five_people()
    {
        UserId?[] five = [Person(1), Person(2), Person(3), Person(4), Person(5)];
        var schedule = Schedule("UTC", Layer(5 * Week, new(2026, 1, 5), five));
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 5).AddDays(7 * 25)).ShouldBe(Person(1));
        OnCallRota.WhoIsOnCall(schedule, Utc(2026, 1, 5).AddDays(7 * 25 - 1)).ShouldBe(Person(5));
    }

    [Fact]
    public void The_29th_of_February_is_a_day_like_any_other()
    {
        var schedule = Schedule("UTC", Layer(Day, new(2028, 2, 27), Ann, Bob, Cat));
        OnCallRota.WhoIsOnCall(schedule, Utc(2028, 2, 29, 12)).ShouldBe(Cat);
        OnCallRota.WhoIsOnCall(schedule, Utc(2028, 3, 1, 12)).ShouldBe(Ann);
    }

    [Fact]
    public void The_answer_does_not_depend_on_the_zone_of_the_asker()
    {
        var schedule = Schedule("America/New_York", Layer(Day, new(2026, 1, 1), Ann, Bob));
        var at = Utc(2026, 1, 2, 5);
        OnCallRota.WhoIsOnCall(schedule, at.ToOffset(TimeSpan.FromHours(9))).ShouldBe(OnCallRota.WhoIsOnCall(schedule, at));
        OnCallRota.WhoIsOnCall(schedule, at).ShouldBe(Bob);
    }

    [Fact]
    public void A_schedule_without_layers_is_one_gap()
    {
        var shifts = OnCallRota.Shifts(Schedule("UTC"), Utc(2026, 1, 1), Utc(2026, 1, 2));
        shifts.Final.ShouldBe([new Shift(null, Utc(2026, 1, 1), Utc(2026, 1, 2))]);
        (shifts.Coverage, shifts.NextChange).ShouldBe((0d, null));
    }

    [Fact]
    public void Coverage_is_the_share_of_the_window_with_somebody() =>
        OnCallRota.Shifts(
            Schedule("UTC", Layer(Day, new(2026, 1, 1), Ann) with { Restrictions = [Daily(0, 6)] }), Utc(2026, 1, 1), Utc(2026, 1, 3))
            .Coverage.ShouldBe(0.25);

    [Fact]
    public void The_next_change_is_the_one_after_the_window()
    {
        var schedule = Schedule("UTC", Layer(Week, new(2026, 1, 5), Ann, Bob));
        OnCallRota.Shifts(schedule, Utc(2026, 1, 5), Utc(2026, 1, 12)).NextChange.ShouldBe(Utc(2026, 1, 12));
        OnCallRota.NextChange(schedule, Utc(2026, 1, 12)).ShouldBe(Utc(2026, 1, 19));
    }

    [Fact]
    public void A_single_user_for_ever_never_changes() =>
        OnCallRota.NextChange(Schedule("UTC", Layer(Week, new(2026, 1, 5), Ann)), Utc(2026, 2, 1)).ShouldBeNull();

    [Fact]
    public void A_window_that_is_empty_or_too_long_is_refused()
    {
        var schedule = Schedule("UTC");
        Should.Throw<ArgumentOutOfRangeException>(() => OnCallRota.Shifts(schedule, Utc(2026, 1, 1), Utc(2026, 1, 1)));
        Should.Throw<ArgumentOutOfRangeException>(() => OnCallRota.Shifts(schedule, Utc(2026, 1, 1), Utc(2027, 6, 1)));
    }
}
