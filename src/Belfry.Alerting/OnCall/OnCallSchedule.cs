using System.Text.Json.Serialization;

namespace Belfry.Alerting.OnCall;

/// <summary>
/// Who is on call when: layers, the last active one on top, and overrides above them. reference: on-call rules, section 4.
/// </summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">1 to 255 characters.</param>
/// <param name="TimeZone">IANA id; all local times are in it.</param>
/// <param name="Layers">In display order: the last one active wins.</param>
/// <param name="Overrides">Of overlapping ones the last in this list (created last) wins.</param>
public sealed record OnCallSchedule(
    ScheduleId Id, string Name, string TimeZone, IReadOnlyList<ScheduleLayer> Layers, IReadOnlyList<ScheduleOverride> Overrides);

/// <summary>A rotation. Local times have no offset and are read in the schedule's zone.</summary>
/// <param name="Name">For people.</param>
/// <param name="Users">In turn; null is a vacant seat.</param>
/// <param name="Start">From when the layer counts (local).</param>
/// <param name="End">Until when; null for ever (local).</param>
/// <param name="RotationVirtualStart">When the first user's first turn starts (local).</param>
/// <param name="TurnLengthSeconds">Length of a turn on the wall clock, 3,600 or more.</param>
/// <param name="Restrictions">Only within these; empty: always.</param>
/// <param name="Advance">Whether turns wholly outside the restrictions take a place.</param>
public sealed record ScheduleLayer(
    string Name, IReadOnlyList<UserId?> Users, DateTime Start, DateTime? End, DateTime RotationVirtualStart, int TurnLengthSeconds,
    IReadOnlyList<LayerRestriction> Restrictions, TurnAdvance Advance = TurnAdvance.Elapsed);

[JsonConverter(typeof(JsonStringEnumConverter<TurnAdvance>))]
public enum TurnAdvance { [JsonStringEnumMemberName("elapsed")] Elapsed, [JsonStringEnumMemberName("covered")] Covered }

/// <summary>A daily or, with a weekday (1 = Monday to 7), weekly window.</summary>
public sealed record LayerRestriction(int? StartDayOfWeek, TimeOnly StartTimeOfDay, int DurationSeconds);

/// <summary>Replaces whoever is on call in [Start, End).</summary>
public sealed record ScheduleOverride(Guid Id, UserId UserId, DateTimeOffset Start, DateTimeOffset End);
