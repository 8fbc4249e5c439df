using System.Globalization;

namespace Belfry.Server.Layout;

/// <summary>Times for people: in UTC, or relative to a page's now. <c>scripts/times.js</c> says it in the same words.</summary>
internal static class TimeText
{
    public static string Iso(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string Full(DateTimeOffset at) => at.UtcDateTime.ToString("ddd, d MMM yyyy HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    public static string Short(DateTimeOffset at) => at.UtcDateTime.ToString("d MMM HH:mm 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>Such as <c>5 min ago</c> or <c>in 2 h</c>; whole units, rounded down.</summary>
    public static string Relative(DateTimeOffset at, DateTimeOffset now)
    {
        var away = at - now;
        var text = Length(away.Duration());
        return text.Length == 0 ? "now" : away < TimeSpan.Zero ? text + " ago" : "in " + text;
    }

    private static string Length(TimeSpan length) => length switch
    {
        { TotalSeconds: < 5 } => "",
        { TotalMinutes: < 1 } => $"{(int)length.TotalSeconds} s",
        { TotalHours: < 1 } => $"{(int)length.TotalMinutes} min",
        { TotalDays: < 2 } => $"{(int)length.TotalHours} h",
        _ => $"{(int)length.TotalDays} days",
    };
}
