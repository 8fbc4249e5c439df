using Belfry.Alerting.Catalog;

namespace Belfry.Alerting.OnCall;

/// <summary>What is wrong with a schedule as drafted.</summary>
internal static class ScheduleFaults
{
    private const int LayersMax = 50;
    private const int SeatsMax = 200;
    private const int RestrictionsMax = 50;
    private const int DaySeconds = 86_400;

    public static FaultList Of(ScheduleDraft draft, Func<UserId, bool> userExists)
    {
        var faults = new FaultList();
        faults.Name("Name", draft.Name, 255);
        faults.TimeZone("Time zone", draft.TimeZone);
        faults.Range("The number of layers", draft.Layers?.Count ?? 0, 1, LayersMax);
        foreach (var (index, layer) in (draft.Layers ?? []).Take(LayersMax).Index()) Check(faults, $"Layer {index + 1}", layer, userExists);
        return faults;
    }

    private static void Check(FaultList faults, string place, ScheduleLayer layer, Func<UserId, bool> userExists)
    {
        if (!string.IsNullOrEmpty(layer.Name)) faults.Name($"{place}: the name", layer.Name, 255);
        faults.Range($"{place}: the number of seats", layer.Users?.Count ?? 0, 1, SeatsMax);
        faults.Range($"{place}: the length of a turn in seconds", layer.TurnLengthSeconds, 3_600, 366 * DaySeconds);
        faults.Unless(
            layer.End is not { } end || end > layer.Start, $"{place}: it ends at {layer.End:s}, not after its start at {layer.Start:s}.");
        faults.Unless(Enum.IsDefined(layer.Advance), $"{place}: the way {(int)layer.Advance} to advance is unknown.");
        foreach (var user in (layer.Users ?? []).OfType<UserId>().Distinct())
            faults.Unless(userExists(user), $"{place}: there is no user {user}.");

        faults.Range($"{place}: the number of restrictions", layer.Restrictions?.Count ?? 0, 0, RestrictionsMax);
        foreach (var (index, restriction) in (layer.Restrictions ?? []).Take(RestrictionsMax).Index())
        {
            var at = $"{place}, restriction {index + 1}";
            if (restriction.StartDayOfWeek is { } day) faults.Range($"{at}: the day of the week", day, 1, 7);
            faults.Range(
                $"{at}: the duration in seconds", restriction.DurationSeconds, 1,
                restriction.StartDayOfWeek is null ? DaySeconds : 7 * DaySeconds);
        }
    }
}
