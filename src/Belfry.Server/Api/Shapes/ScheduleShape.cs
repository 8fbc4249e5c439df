using System.Globalization;
using System.Text.Json.Nodes;
using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;

namespace Belfry.Server.Api;

/// <summary>Schedules, overrides and rendered shifts in PagerDuty's shape; layers top first.</summary>
internal static class ScheduleShape
{
    public static JsonObject Of(OnCallSchedule schedule, CatalogSnapshot catalog) => Of(schedule, null, catalog);

    public static JsonObject Rendered(OnCallSchedule schedule, RotaShifts shifts, CatalogSnapshot catalog)
    {
        var shape = Of(schedule, shifts, catalog);
        shape["final_schedule"] = new JsonObject
        {
            ["name"] = "Final Schedule",
            ["rendered_schedule_entries"] = Entries(shifts.Final, catalog),
            ["rendered_coverage_percentage"] = Math.Round(shifts.Coverage * 100, 1),
        };
        shape["next_change_at"] = ApiTime.Text(shifts.NextChange);
        return shape;
    }

    public static JsonObject OfOverride(ScheduleOverride one, CatalogSnapshot catalog) => new()
    {
        ["id"] = one.Id.ToString("N"),
        ["type"] = "override",
        ["start"] = ApiTime.Text(one.Start),
        ["end"] = ApiTime.Text(one.End),
        ["user"] = ReferenceShapes.User(one.UserId, catalog),
    };

    private static JsonObject Of(OnCallSchedule schedule, RotaShifts? shifts, CatalogSnapshot catalog)
    {
        var shape = Shape.Head("schedule", "schedules", schedule.Id.ToString(), schedule.Name, "/oncall");
        shape["name"] = schedule.Name;
        shape["time_zone"] = schedule.TimeZone;
        shape["schedule_layers"] = Shape.Array(schedule.Layers.Index().Reverse(), layer => Layer(
            layer.Item, schedule, layer.Index, shifts is null ? null : shifts.Layers[layer.Index], catalog));
        shape["users"] = Shape.Array(
            schedule.Layers.SelectMany(layer => layer.Users).OfType<UserId>().Distinct(), user => ReferenceShapes.User(user, catalog));
        shape["escalation_policies"] = Shape.Array(
            catalog.Policies
                .Where(policy => policy.Levels.Any(level => level.Targets.Any(
                    target => target.Kind == TargetKind.Schedule && target.Id == schedule.Id.Value)))
                .OrderBy(policy => policy.Name, StringComparer.Ordinal),
            policy => ReferenceShapes.Policy(policy.Id, policy.Name));
        return shape;
    }

    private static JsonObject Layer(
        ScheduleLayer layer, OnCallSchedule schedule, int index, IReadOnlyList<Shift>? shifts, CatalogSnapshot catalog)
    {
        var shape = new JsonObject
        {
            ["id"] = $"{schedule.Id}-{index + 1}",
            ["name"] = layer.Name,
            ["start"] = Local(layer.Start),
            ["end"] = layer.End is { } end ? Local(end) : null,
            ["rotation_virtual_start"] = Local(layer.RotationVirtualStart),
            ["rotation_turn_length_seconds"] = layer.TurnLengthSeconds,
            ["users"] = Shape.Array(layer.Users, user => user is { } id
                ? new JsonObject { ["user"] = ReferenceShapes.User(id, catalog) }
                : new JsonObject { ["type"] = "empty_member" }),
            ["restrictions"] = Shape.Array(layer.Restrictions, Restriction),
            ["advance"] = layer.Advance == TurnAdvance.Covered ? "covered" : "elapsed",
        };
        if (shifts is not null) shape["rendered_schedule_entries"] = Entries(shifts, catalog);
        return shape;
    }

    private static JsonObject Restriction(LayerRestriction restriction)
    {
        var shape = new JsonObject
        {
            ["type"] = restriction.StartDayOfWeek is null ? "daily_restriction" : "weekly_restriction",
            ["start_time_of_day"] = restriction.StartTimeOfDay.ToString("HH:mm:ss", CultureInfo.InvariantCulture),
            ["duration_seconds"] = restriction.DurationSeconds,
        };
        if (restriction.StartDayOfWeek is { } day) shape["start_day_of_week"] = day;
        return shape;
    }

    // Gaps are left out, as PagerDuty does; the coverage tells of them.
    private static JsonArray Entries(IReadOnlyList<Shift> shifts, CatalogSnapshot catalog) =>
        Shape.Array(shifts.Where(shift => shift.UserId is not null), shift => new JsonObject
        {
            ["id"] = shift.OverrideId?.ToString("N"),
            ["start"] = ApiTime.Text(shift.Start),
            ["end"] = ApiTime.Text(shift.End),
            ["user"] = ReferenceShapes.User(shift.UserId!.Value, catalog),
        });

    private static string Local(DateTime time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
}
