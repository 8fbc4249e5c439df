using Belfry.Alerting;
using Belfry.Alerting.Incidents;

namespace Belfry.Server.Api;

/// <summary>
/// The filters of an incident list, from its query: <c>statuses[]</c>, <c>service_ids[]</c>, <c>user_ids[]</c>, <c>urgencies[]</c>,
/// <c>since</c>, <c>until</c>.
/// </summary>
internal static class IncidentQuery
{
    private const int ValuesMax = 100;

    public static (IncidentFilter Filter, IReadOnlyList<string> Faults) Read(IQueryCollection query)
    {
        List<string> faults = [];
        List<IncidentStatus> statuses = [];
        foreach (var text in Values(query, "statuses", faults))
            if (StatusOf(text) is { } status) statuses.Add(status);
            else faults.Add("statuses[] takes 'triggered', 'acknowledged' and 'resolved'.");
        List<Urgency> urgencies = [];
        foreach (var text in Values(query, "urgencies", faults))
            if (text is "high" or "low") urgencies.Add(text == "high" ? Urgency.High : Urgency.Low);
            else faults.Add("urgencies[] takes 'high' and 'low'.");
        var users = Ids<UserId>(query, "user_ids", faults);
        if (users.Count > 1) faults.Add("user_ids[] takes one id; ask once for each user.");
        var filter = new IncidentFilter
        {
            Statuses = statuses,
            ServiceIds = Ids<ServiceId>(query, "service_ids", faults),
            Urgency = urgencies.Distinct().Count() == 1 ? urgencies[0] : null,
            AssigneeId = users.Count == 1 ? users[0] : null,
            Since = Instant(query, "since", faults),
            Until = Instant(query, "until", faults),
        };
        return (filter, faults);
    }

    public static IncidentStatus? StatusOf(string? text) => text switch
    {
        "triggered" => IncidentStatus.Triggered,
        "acknowledged" => IncidentStatus.Acknowledged,
        "resolved" => IncidentStatus.Resolved,
        _ => null,
    };

    public static DateTimeOffset? Instant(IQueryCollection query, string name, List<string> faults)
    {
        string? text = query[name];
        if (string.IsNullOrEmpty(text)) return null;
        if (ApiTime.TryRead(text, out var at)) return at;
        faults.Add($"{name} is no ISO 8601 time between the years 2000 and 2200.");
        return null;
    }

    public static IReadOnlyList<T> Ids<T>(IQueryCollection query, string name, List<string> faults) where T : struct, IId<T>
    {
        List<T> ids = [];
        foreach (var text in Values(query, name, faults))
            if (Id.TryParse<T>(text, out var id)) ids.Add(id);
            else faults.Add($"{name}[] takes ids of 32 hexadecimal digits.");
        return ids;
    }

    private static IEnumerable<string> Values(IQueryCollection query, string name, List<string> faults)
    {
        string[] values = [.. query[name + "[]"].Concat(query[name]).Where(value => !string.IsNullOrEmpty(value)).Select(value => value!)];
        if (values.Length > ValuesMax) faults.Add($"{name}[] has {values.Length} values, at most {ValuesMax} are taken.");
        return values.Take(ValuesMax);
    }
}
