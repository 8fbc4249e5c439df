using Belfry.Alerting.OnCall;
using FsCheck;
using FsCheck.Fluent;
using static Belfry.Alerting.Tests.OnCall.Rotas;

namespace Belfry.Alerting.Tests.OnCall;

public sealed class OnCallRotaPropertyTests
{
    private static readonly string[] Zones =
    [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/St_Johns", "Asia/Kathmandu",
        "Pacific/Chatham",
    ];

    private static readonly Config Runs = Config.QuickThrowOnFailure.WithMaxTest(40).WithQuietOnSuccess(true);

    private sealed record Case(OnCallSchedule Schedule, DateTimeOffset From, int Hours);

    private static Gen<ScheduleLayer> LayerGen =>
        from turn in Gen.Elements(Hour, 5 * Hour, 12 * Hour, Day, 3 * Day, Week)
        from startHours in Gen.Choose(0, 24 * 360)
        from virtualHours in Gen.Choose(-48, 48)
        from users in Gen.Choose(0, 3).ListOf(3)
        from ends in Gen.Elements(true, false, false)
        from restricted in Gen.Choose(0, 3)
        from hour in Gen.Choose(0, 23)
        from length in Gen.Choose(1, 24)
        from advance in Gen.Elements(TurnAdvance.Elapsed, TurnAdvance.Covered)
        let start = new DateTime(2026, 1, 1).AddHours(startHours)
        select new ScheduleLayer(
            "layer", [.. users.Select(n => n == 0 ? (UserId?)null : Person(n))], start, ends ? start.AddDays(20) : null,
            start.AddHours(virtualHours), turn,
            restricted switch { 0 or 1 => [], 2 => [Daily(hour, length)], _ => Weekdays(hour, length) }, advance);

    private static Gen<Case> Cases =>
        from zone in Gen.Elements(Zones)
        from count in Gen.Choose(0, 3)
        from layers in LayerGen.ListOf(count)
        from overrides in (from day in Gen.Choose(0, 360) from hours in Gen.Choose(1, 100) from who in Gen.Choose(1, 3)
                           select new ScheduleOverride(
                               new Guid(day, 0, 0, new byte[8]), Person(who), Utc(2026, 1, 1).AddDays(day),
                               Utc(2026, 1, 1).AddDays(day).AddHours(hours))).ListOf(2)
        from offset in Gen.Choose(0, 24 * 365)
        from length in Gen.Choose(1, 24 * 5)
        select new Case(new OnCallSchedule(default, "rota", zone, [.. layers], [.. overrides]), Utc(2026, 1, 1).AddHours(offset), length);

    [Fact]
    public void Shifts_and_gaps_together_are_the_window_without_overlap() => ForAll(test =>
    {
        var (from, to) = (test.From, test.From.AddHours(test.Hours));
        var shifts = OnCallRota.Shifts(test.Schedule, from, to);
        foreach (var line in shifts.Layers.Append(shifts.Final))
        {
            line[0].Start.ShouldBe(from);
            line[^1].End.ShouldBe(to);
            line.All(shift => shift.End > shift.Start).ShouldBeTrue();
            for (var i = 1; i < line.Count; i++) line[i].Start.ShouldBe(line[i - 1].End);
        }
    });

    [Fact]
    public void At_every_quarter_of_an_hour_the_shifts_name_who_is_on_call() => ForAll(test =>
    {
        var shifts = OnCallRota.Shifts(test.Schedule, test.From, test.From.AddHours(test.Hours)).Final;
        for (var at = test.From; at < shifts[^1].End; at = at.AddMinutes(15))
            shifts.Single(shift => shift.Start <= at && at < shift.End).UserId.ShouldBe(OnCallRota.WhoIsOnCall(test.Schedule, at));
    });

    [Fact]
    public void The_final_schedule_is_the_overlay_of_overrides_and_layers() => ForAll(test =>
    {
        var shifts = OnCallRota.Shifts(test.Schedule, test.From, test.From.AddHours(test.Hours));
        for (var at = test.From; at < shifts.Final[^1].End; at = at.AddMinutes(30))
        {
            UserId? expected = null;
            foreach (var layer in shifts.Layers) expected = layer.Single(shift => shift.Start <= at && at < shift.End).UserId ?? expected;
            foreach (var over in test.Schedule.Overrides)
                if (over.Start <= at && at < over.End) expected = over.UserId;
            OnCallRota.WhoIsOnCall(test.Schedule, at).ShouldBe(expected);
        }
    });

    [Fact]
    public void Splitting_the_window_changes_nothing() => ForAll(test =>
    {
        var (from, to) = (test.From, test.From.AddHours(test.Hours));
        var middle = from.AddMinutes(test.Hours * 23);
        var whole = OnCallRota.Shifts(test.Schedule, from, to).Final;
        List<Shift> parts =
            [.. OnCallRota.Shifts(test.Schedule, from, middle).Final, .. OnCallRota.Shifts(test.Schedule, middle, to).Final];
        for (var i = parts.Count - 1; i > 0; i--)
            if (parts[i].UserId == parts[i - 1].UserId && parts[i].OverrideId == parts[i - 1].OverrideId)
            {
                parts[i - 1] = parts[i - 1] with { End = parts[i].End };
                parts.RemoveAt(i);
            }

        parts.ShouldBe(whole);
    });

    [Fact]
    public void The_next_change_is_where_the_next_shift_of_another_user_begins() => ForAll(test =>
    {
        var shifts = OnCallRota.Shifts(test.Schedule, test.From, test.From.AddDays(30)).Final;
        var expected = shifts.FirstOrDefault(shift => shift.UserId != shifts[0].UserId)?.Start;
        var next = OnCallRota.NextChange(test.Schedule, test.From);
        if (expected is not null) next.ShouldBe(expected);
        else if (next is not null) next.Value.ShouldBeGreaterThanOrEqualTo(test.From.AddDays(30));
    });

    [Fact]
    public void A_layer_that_starts_later_alters_no_earlier_instant() => ForAll(test =>
    {
        var edited = test.Schedule with { Layers = [.. test.Schedule.Layers, Layer(Day, new(2027, 6, 1), Ann)] };
        for (var hour = 0; hour < test.Hours; hour++)
            OnCallRota.WhoIsOnCall(edited, test.From.AddHours(hour)).ShouldBe(
                OnCallRota.WhoIsOnCall(test.Schedule, test.From.AddHours(hour)));
    });

    /// <summary>Every zone of the tz database over two years: a daily rotation hands over once a local day and never has a gap.</summary>
    [Fact]
    public void In_every_zone_a_daily_rotation_has_no_gap_over_both_transitions()
    {
        foreach (var zone in ScheduleZone.Known)
        {
            var schedule = Schedule(zone, Layer(Day, new(2025, 1, 1, 2, 30, 0), Ann, Bob));
            var shifts = OnCallRota.Shifts(schedule, Utc(2025, 3, 1), Utc(2025, 11, 30)).Final;
            shifts.All(shift => shift.UserId is not null).ShouldBeTrue(zone);
            shifts.Skip(1).SkipLast(1).All(shift => (shift.End - shift.Start).TotalHours is >= 22 and <= 26).ShouldBeTrue(zone);
            shifts.Count.ShouldBeInRange(274, 276, zone);
        }
    }

    private static void ForAll(Action<Case> holds) => Prop.ForAll(Cases.ToArbitrary(), holds).Check(Runs);
}
