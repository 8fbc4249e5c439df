using Belfry.Alerting.OnCall;

namespace Belfry.Alerting.Tests.OnCall;

internal static class Rotas
{
    public static readonly UserId Ann = Person(1), Bob = Person(2), Cat = Person(3);

    public const int Hour = 3600, Day = 86_400, Week = 604_800;

    public static UserId Person(int n) => new(new Guid(n, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]));

    public static OnCallSchedule Schedule(string zone, params ScheduleLayer[] layers) => new(default, "rota", zone, layers, []);

    public static ScheduleLayer Layer(int turnSeconds, DateTime start, params UserId?[] users) =>
        new("layer", users, start, null, start, turnSeconds, []);

    public static DateTimeOffset Utc(int year, int month, int day, int hour = 0, int minute = 0) =>
        new(year, month, day, hour, minute, 0, TimeSpan.Zero);

    public static ScheduleOverride Over(UserId user, DateTimeOffset start, DateTimeOffset end) =>
        new(new Guid(start.Day, 1, 1, new byte[8]), user, start, end);

    public static LayerRestriction Daily(int hour, int hours) => new(null, new TimeOnly(hour, 0), hours * Hour);

    public static IReadOnlyList<LayerRestriction> Weekdays(int hour, int hours) =>
        [.. Enumerable.Range(1, 5).Select(day => new LayerRestriction(day, new TimeOnly(hour, 0), hours * Hour))];
}
