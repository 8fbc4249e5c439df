using System.Globalization;

namespace Belfry.Alerting.Events;

/// <summary>
/// Reads ISO 8601 times as senders write them: <c>2015-07-17T08:42:58.315+0000</c> (PagerDuty's own example, which System.Text.Json
/// refuses), <c>…Z</c>, <c>…+02:00</c>, <c>…+02</c>, any number of decimals, a space for the T, no offset (UTC), or a bare date.
/// </summary>
internal static class EventTimestamp
{
    private const int LengthMax = 64;

    /// <summary>False: no time that a <see cref="DateTimeOffset"/> holds. Decimals past 100 ns are cut.</summary>
    public static bool TryRead(string text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length > LengthMax) return false;
        var rest = text.AsSpan().Trim();
        if (!Take(ref rest, 4, out var year) || !Skip(ref rest, '-') || !Take(ref rest, 2, out var month) || !Skip(ref rest, '-')
            || !Take(ref rest, 2, out var day)) return false;
        int hour = 0, minute = 0, second = 0;
        long ticks = 0;
        var offset = TimeSpan.Zero;
        if (rest.Length > 0)
        {
            if (!Skip(ref rest, 'T') && !Skip(ref rest, 't') && !Skip(ref rest, ' ')) return false;
            if (!Take(ref rest, 2, out hour) || !Skip(ref rest, ':') || !Take(ref rest, 2, out minute)) return false;
            if (Skip(ref rest, ':') && !Take(ref rest, 2, out second)) return false;
            if ((Skip(ref rest, '.') || Skip(ref rest, ',')) && !TakeFraction(ref rest, out ticks)) return false;
            if (!TakeOffset(ref rest, out offset) || rest.Length > 0) return false;
        }

        return TryMake(year, month, day, hour, minute, second, ticks, offset, out time);
    }

    private static bool TryMake(
        int year, int month, int day, int hour, int minute, int second, long ticks, TimeSpan offset, out DateTimeOffset time)
    {
        time = default;
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) return false;
        if (hour > 23 || minute > 59 || second > 59) return false;
        var utc = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks + ticks - offset.Ticks;
        if (utc < DateTime.MinValue.Ticks || utc > DateTime.MaxValue.Ticks) return false;
        time = new DateTimeOffset(utc, TimeSpan.Zero);
        return true;
    }

    private static bool TakeFraction(ref ReadOnlySpan<char> rest, out long ticks)
    {
        ticks = 0;
        var unit = TimeSpan.TicksPerSecond / 10;
        var digits = 0;
        for (; digits < rest.Length && char.IsAsciiDigit(rest[digits]); digits++, unit /= 10) ticks += (rest[digits] - '0') * unit;
        rest = rest[digits..];
        return digits > 0;
    }

    private static bool TakeOffset(ref ReadOnlySpan<char> rest, out TimeSpan offset)
    {
        offset = TimeSpan.Zero;
        if (rest.Length == 0 || Skip(ref rest, 'Z') || Skip(ref rest, 'z')) return true;
        var minus = rest[0] == '-';
        if (!Skip(ref rest, '+') && !Skip(ref rest, '-')) return false;
        if (!Take(ref rest, 2, out var hours)) return false;
        var minutes = 0;
        if ((Skip(ref rest, ':') || rest.Length > 0) && !Take(ref rest, 2, out minutes)) return false;
        if (hours > 18 || minutes > 59) return false;
        offset = new TimeSpan(hours, minutes, 0) * (minus ? -1 : 1);
        return true;
    }

    private static bool Take(ref ReadOnlySpan<char> rest, int digits, out int value)
    {
        value = 0;
        if (rest.Length < digits || !int.TryParse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out value)) return false;
        rest = rest[digits..];
        return true;
    }

    private static bool Skip(ref ReadOnlySpan<char> rest, char expected)
    {
        if (rest.Length == 0 || rest[0] != expected) return false;
        rest = rest[1..];
        return true;
    }
}
