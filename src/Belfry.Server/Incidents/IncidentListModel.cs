using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;

namespace Belfry.Server.Incidents;

/// <summary>What the list of incidents was asked for, from the query; anything unreadable counts as not asked.</summary>
/// <param name="State">A tab of <see cref="Tabs"/>.</param>
/// <param name="Mine">Only the caller's.</param>
/// <param name="Urgency">Only this urgency.</param>
/// <param name="ServiceId">Only this service.</param>
/// <param name="Page">From 1.</param>
public sealed record IncidentListQuery(string State, bool Mine, Urgency? Urgency, ServiceId? ServiceId, int Page)
{
    public const int PageSize = 25;
    private const int PageMax = 400;

    public static IReadOnlyList<(string State, string Name)> Tabs { get; } =
        [("open", "Open"), ("triggered", "Triggered"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved"), ("all", "All")];

    public static IncidentListQuery Read(IQueryCollection query)
    {
        string? state = query["state"];
        string? urgency = query["urgency"];
        return new IncidentListQuery(
            Tabs.Any(tab => tab.State == state) ? state! : "open",
            query["mine"] == "1",
            urgency switch { "high" => Alerting.Incidents.Urgency.High, "low" => Alerting.Incidents.Urgency.Low, _ => null },
            Id.TryParse<ServiceId>(query["service"], out var service) ? service : null,
            int.TryParse(query["page"], out var page) ? Math.Clamp(page, 1, PageMax) : 1);
    }

    public IncidentFilter FilterFor(UserId? caller) => new()
    {
        Statuses = State switch
        {
            "open" => [IncidentStatus.Triggered, IncidentStatus.Acknowledged],
            "triggered" => [IncidentStatus.Triggered],
            "acknowledged" => [IncidentStatus.Acknowledged],
            "resolved" => [IncidentStatus.Resolved],
            _ => [],
        },
        ServiceIds = ServiceId is { } service ? [service] : [],
        Urgency = Urgency,
        AssigneeId = Mine ? caller : null,
    };

    /// <summary>Whether anything beyond the tab narrows the list.</summary>
    public bool Narrowed => Mine || Urgency is not null || ServiceId is not null;

    /// <summary>The address of this list.</summary>
    public string Href
    {
        get
        {
            List<string> parts = [];
            if (State != "open") parts.Add("state=" + State);
            if (Mine) parts.Add("mine=1");
            if (Urgency is { } urgency) parts.Add("urgency=" + (urgency == Alerting.Incidents.Urgency.High ? "high" : "low"));
            if (ServiceId is { } service) parts.Add("service=" + service);
            if (Page > 1) parts.Add("page=" + Page.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return parts.Count == 0 ? "/" : "/?" + string.Join('&', parts);
        }
    }
}

/// <summary>The list of incidents as one page shows it.</summary>
public sealed record IncidentListModel(IncidentListQuery Query, IReadOnlyList<NumberedIncident> Items, long Total, CatalogSnapshot Catalog)
{
    public bool HasNext => (long)Query.Page * IncidentListQuery.PageSize < Total;
}
