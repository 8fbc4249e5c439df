using System.Globalization;
using Belfry.Alerting;
using Belfry.Alerting.OnCall;

namespace Belfry.Server.Api;

/// <summary>
/// Reads a schedule. <c>schedule_layers</c> come top first, as PagerDuty lists them (grafana/oncall <c>tools/migrators</c>); ours are in
/// display order. Layer times are local to the schedule's zone; one with an offset is turned into local time.
/// </summary>
internal static class ScheduleBody
{
    private const int LayersMax = 50;

    public static ScheduleDraft Read(ApiBody body, OnCallSchedule? before)
    {
        var zone = body.Text("time_zone", required: before is null) ?? before?.TimeZone ?? "Etc/UTC";
        var known = TimeZoneInfo.TryFindSystemTimeZoneById(zone, out var info);
        if (!known) body.AddFault("time_zone", "is no IANA time zone");
        var layers = body.Objects(
            "schedule_layers", required: before is null, max: LayersMax)?.Select(layer => Layer(layer, info)).Reverse().ToList();
        return new ScheduleDraft(
            body.Text("name", required: before is null) ?? before?.Name ?? "", zone,
            (IReadOnlyList<ScheduleLayer>?)layers ?? before?.Layers ?? []);
    }

    private static ScheduleLayer Layer(ApiBody layer, TimeZoneInfo? zone)
    {
        var virtualStart = Local(layer, "rotation_virtual_start", zone, required: true);
        return new ScheduleLayer(
            layer.Text("name") ?? "Layer",
            [.. (layer.Objects("users", required: true, max: 1_000) ?? []).Select(Seat)],
            Local(layer, "start", zone, required: false) ?? virtualStart ?? default,
            Local(layer, "end", zone, required: false),
            virtualStart ?? default,
            layer.Number("rotation_turn_length_seconds", required: true, min: 3_600, max: 366 * 86_400) ?? 3_600,
            [.. (layer.Objects("restrictions", max: 100) ?? []).Select(Restriction)],
            layer.Choice("advance", required: false, ("elapsed", TurnAdvance.Elapsed), ("covered", TurnAdvance.Covered))
                ?? TurnAdvance.Elapsed);
    }

    // PagerDuty wraps each user; a seat of type empty_member is vacant.
    private static UserId? Seat(ApiBody seat)
    {
        if (seat.Text("type") == "empty_member" || seat.IsNull("user")) return null;
        return seat.Has("user") ? seat.Reference<UserId>("user") : seat.Reference<UserId>("id", required: true);
    }

    private static LayerRestriction Restriction(ApiBody restriction)
    {
        var weekly = restriction.Choice("type", required: true, ("daily_restriction", false), ("weekly_restriction", true)) ?? false;
        var text = restriction.Text("start_time_of_day", required: true);
        var start = default(TimeOnly);
        if (text is not null && !TimeOnly.TryParseExact(
            text, ["HH:mm", "HH:mm:ss"], CultureInfo.InvariantCulture, DateTimeStyles.None, out start))
            restriction.AddFault("start_time_of_day", "is no time of day such as 09:00:00");
        return new LayerRestriction(
            weekly ? restriction.Number("start_day_of_week", required: true, min: 1, max: 7) : null,
            start,
            restriction.Number("duration_seconds", required: true, min: 60, max: weekly ? 7 * 86_400 : 86_400) ?? 60);
    }

    private static DateTime? Local(ApiBody layer, string name, TimeZoneInfo? zone, bool required)
    {
        if (layer.Text(name, required) is not { } text) return null;
        if (DateTime.TryParseExact(
                text, ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"], CultureInfo.InvariantCulture, DateTimeStyles.None, out var local)
            && local.Year is >= 2000 and <= 2200)
            return local;
        if (ApiTime.TryRead(text, out var at)) return zone is null ? at.DateTime : TimeZoneInfo.ConvertTime(at, zone).DateTime;
        layer.AddFault(name, "is no ISO 8601 time between the years 2000 and 2200");
        return null;
    }
}
