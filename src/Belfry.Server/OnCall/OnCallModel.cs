using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;

namespace Belfry.Server.OnCall;

/// <summary>Who is on call now, as the page shows it.</summary>
/// <param name="Schedules">By name: the shift that holds now, a gap included.</param>
/// <param name="Policies">By name: the people of each level, from level 1; a level without anybody is empty.</param>
/// <param name="Catalog">For names.</param>
public sealed record OnCallModel(
    IReadOnlyList<(OnCallSchedule Schedule, Shift Shift)> Schedules,
    IReadOnlyList<(EscalationPolicy Policy, IReadOnlyList<IReadOnlyList<UserId>> Levels)> Policies, CatalogSnapshot Catalog)
{
    public static OnCallModel Of(CatalogSnapshot catalog, DateTimeOffset now)
    {
        var people = OnCallNow.Of(catalog, now);
        return new OnCallModel(
            [
                .. catalog.Schedules.OrderBy(schedule => schedule.Name, StringComparer.Ordinal)
                    .Select(schedule => (schedule, OnCallNow.ShiftNow(schedule, now))),
            ],
            [
                .. catalog.Policies.OrderBy(policy => policy.Name, StringComparer.Ordinal)
                    .Select(policy => (policy, LevelsOf(policy, people))),
            ],
            catalog);
    }

    public string NameOf(UserId id) => Catalog.User(id)?.Name ?? "a former user";

    private static IReadOnlyList<IReadOnlyList<UserId>> LevelsOf(EscalationPolicy policy, IReadOnlyList<OnCallNow> people) =>
        [.. policy.Levels.Select((_, index) => (IReadOnlyList<UserId>)[.. people
            .Where(one => one.Policy.Id == policy.Id && one.Level == index + 1).Select(one => one.UserId).Distinct()])];
}
