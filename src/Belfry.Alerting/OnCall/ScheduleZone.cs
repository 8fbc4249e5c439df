using NodaTime;
using NodaTime.TimeZones;

namespace Belfry.Alerting.OnCall;

/// <summary>
/// A time zone as rotas need it: local wall-clock times to instants and back. The only place that sees NodaTime. A local time that a
/// transition skips is moved to the first valid instant after it.
/// </summary>
internal readonly struct ScheduleZone
{
    private readonly DateTimeZone _zone;

    private ScheduleZone(DateTimeZone zone) => _zone = zone;

    /// <summary>The zone of an IANA id, or UTC when the tz database has no such zone.</summary>
    public static ScheduleZone Of(string ianaId) => new(DateTimeZoneProviders.Tzdb.GetZoneOrNull(ianaId) ?? DateTimeZone.Utc);

    public static IReadOnlyCollection<string> Known => DateTimeZoneProviders.Tzdb.Ids;

    public static bool IsKnown(string ianaId) => DateTimeZoneProviders.Tzdb.GetZoneOrNull(ianaId) is not null;

    /// <summary>What the clocks show at an instant.</summary>
    public DateTime LocalAt(DateTimeOffset at) => Instant.FromDateTimeOffset(at).InZone(_zone).LocalDateTime.ToDateTimeUnspecified();

    /// <summary>The instant of a local time; of two, the first.</summary>
    public DateTimeOffset FirstInstantOf(DateTime local) => InstantOf(local, last: false);

    /// <summary>The instant of a local time; of two, the last.</summary>
    public DateTimeOffset LastInstantOf(DateTime local) => InstantOf(local, last: true);

    private DateTimeOffset InstantOf(DateTime local, bool last)
    {
        var mapping = _zone.MapLocal(LocalDateTime.FromDateTime(local));
        var instant = mapping.Count switch
        {
            0 => mapping.LateInterval.Start,
            _ => (last ? mapping.Last() : mapping.First()).ToInstant(),
        };
        return instant.ToDateTimeOffset();
    }
}
