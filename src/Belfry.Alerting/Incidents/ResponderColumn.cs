using System.Globalization;
using System.Text;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// Who is assigned, as one narrow column: <c>|user:epoch|user:epoch|</c>, so that the check before a send reads no document.
/// </summary>
internal static class ResponderColumn
{
    public static string Of(Incident incident)
    {
        var text = new StringBuilder("|");
        foreach (var responder in incident.Responders)
            text.Append(CultureInfo.InvariantCulture, $"{responder.UserId}:{responder.Epoch}|");
        return text.ToString();
    }

    public static string Like(UserId user) => $"%|{user}:%";

    /// <summary>The epoch of the user's assignment; null when not assigned.</summary>
    public static long? EpochOf(string column, UserId user)
    {
        var mark = $"|{user}:";
        var at = column.IndexOf(mark, StringComparison.Ordinal);
        if (at < 0) return null;
        var number = column.AsSpan(at + mark.Length);
        return long.Parse(number[..number.IndexOf('|')], CultureInfo.InvariantCulture);
    }
}
