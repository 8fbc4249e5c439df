using NodaTime;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// Gathers every fault of a draft, so that its author sees all of them at once. Each names the field, the limit and the value.
/// </summary>
internal sealed class FaultList
{
    private readonly List<string> _faults = [];

    public bool Any => _faults.Count > 0;

    public IReadOnlyList<string> Faults => _faults;

    public void Add(string fault) => _faults.Add(fault);

    public void Unless(bool holds, string fault)
    {
        if (!holds) _faults.Add(fault);
    }

    /// <summary>1 to <paramref name="max"/> characters, none of them a control character, not all white space.</summary>
    public void Name(string field, string? value, int max)
    {
        if (string.IsNullOrWhiteSpace(value)) Add($"{field} is empty; 1 to {max} characters are expected.");
        else if (value.Length > max) Add($"{field} has {value.Length} of at most {max} characters.");
        else if (value.Any(char.IsControl)) Add($"{field} holds a control character.");
    }

    public void Range(string field, long value, long min, long max)
    {
        if (value < min || value > max) Add($"{field} is {value}; {min} to {max} is expected.");
    }

    /// <summary>
    /// One <c>@</c> with something on both sides, no white space or control characters, at most 254 characters (RFC 5321).
    /// </summary>
    public void Email(string field, string? value)
    {
        var at = value?.IndexOf('@', StringComparison.Ordinal) ?? -1;
        var holds = at > 0 && at == value!.LastIndexOf('@') && at < value.Length - 1 && value.Length <= 254
            && !value.Any(
                c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '<' or '>' or ',' or ';' or ':' or '"' or '(' or ')' or '\\');
        if (!holds) Add($"{field} is no mail address such as ada@example.org.");
    }

    /// <summary>An absolute http or https URL without user name, at most 2,000 characters.</summary>
    public void WebUrl(string field, string? value)
    {
        var holds = value is { Length: <= 2_000 } && !value.Any(c => char.IsWhiteSpace(c) || char.IsControl(c))
            && Uri.TryCreate(value, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps) && uri.UserInfo.Length == 0 && uri.Host.Length > 0;
        if (!holds) Add($"{field} is no http or https URL without user name, of at most 2000 characters.");
    }

    public void TimeZone(string field, string? value)
    {
        if (value is null || DateTimeZoneProviders.Tzdb.GetZoneOrNull(value) is null)
            Add($"{field} '{Shown(value)}' is no IANA time zone such as Europe/Berlin.");
    }

    /// <summary>A value as it may stand in a message: cut, and without control characters.</summary>
    public static string Shown(string? value)
    {
        var text = value is { Length: > 60 } ? string.Concat(value.AsSpan(0, 60), "…") : value ?? "";
        return string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
    }
}
