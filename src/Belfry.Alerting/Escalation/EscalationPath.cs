using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;

namespace Belfry.Alerting.Escalation;

/// <summary>A level that has somebody.</summary>
/// <param name="Level">From 1.</param>
/// <param name="Loop">Times the path began, from 1.</param>
/// <param name="Users">At least one, each once, in the order of the level's targets.</param>
/// <param name="Delay">How long until the next step.</param>
public sealed record PathStep(int Level, int Loop, IReadOnlyList<UserId> Users, TimeSpan Delay);

/// <summary>
/// The way through an escalation policy: a pure function of policy, rota and time. Levels with nobody are stepped over at once;
/// schedules are read when a level is entered. Source: on-call rules, section 1.
/// </summary>
public static class EscalationPath
{
    /// <summary>Who a level reaches at <paramref name="now"/>: each known user once, in the order of the targets. May be empty.</summary>
    public static IReadOnlyList<UserId> Responders(EscalationLevel level, CatalogSnapshot catalog, DateTimeOffset now)
    {
        var users = new List<UserId>(level.Targets.Count);
        foreach (var target in level.Targets)
            if (UserOf(target, catalog, now) is { } user && catalog.User(user) is not null && !users.Contains(user)) users.Add(user);
        return users;
    }

    /// <summary>
    /// The first level at or after <paramref name="level"/>, within one run of the path, that has somebody; null if none has.
    /// </summary>
    public static PathStep? From(EscalationPolicy policy, int level, int loop, CatalogSnapshot catalog, DateTimeOffset now)
    {
        for (var at = Math.Max(1, level); at <= policy.Levels.Count; at++)
            if (Responders(policy.Levels[at - 1], catalog, now) is { Count: > 0 } users)
                return new PathStep(at, loop, users, TimeSpan.FromMinutes(policy.Levels[at - 1].DelayMinutes));
        return null;
    }

    /// <summary>Whether the path may begin again after its <paramref name="loop"/>-th run.</summary>
    public static bool Repeats(EscalationPolicy policy, int loop) => policy.Levels.Count > 0 && loop <= policy.NumLoops;

    private static UserId? UserOf(EscalationTarget target, CatalogSnapshot catalog, DateTimeOffset now) => target.Kind switch
    {
        TargetKind.User => new UserId(target.Id),
        TargetKind.Schedule => catalog.Schedule(new ScheduleId(target.Id)) is { } schedule ? OnCallRota.WhoIsOnCall(schedule, now) : null,
        _ => throw new ArgumentOutOfRangeException(nameof(target), target.Kind, "An escalation target is a user or a schedule."),
    };
}
