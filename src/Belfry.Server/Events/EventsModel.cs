using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;

namespace Belfry.Server.Events;

/// <summary>What was asked for on the page of events; empty texts where nothing was.</summary>
/// <param name="EventId">As typed.</param>
/// <param name="IntegrationId">As chosen.</param>
/// <param name="DedupKey">As typed.</param>
public sealed record EventsQuery(string EventId, string IntegrationId, string DedupKey)
{
    /// <summary>True: something is to be looked up.</summary>
    public bool Asks => EventId.Length > 0 || (IntegrationId.Length > 0 && DedupKey.Length > 0);
}

/// <summary>The page of events.</summary>
/// <param name="Query">What was asked for.</param>
/// <param name="Found">The answer, newest first; empty when nothing was found or asked for.</param>
/// <param name="Integration">The chosen integration; null: none, or one that is gone.</param>
/// <param name="Refused">Its last refused events, newest first; of no integration: those without a known routing key.</param>
/// <param name="Failed">Part of the failed events.</param>
/// <param name="States">What became of these since, by the store.</param>
/// <param name="Catalog">For names.</param>
public sealed record EventsModel(
    EventsQuery Query, IReadOnlyList<EventStory> Found, Integration? Integration, IReadOnlyList<RefusedEvent> Refused,
    FailedEventPage Failed, IReadOnlyDictionary<Alerting.EventId, EventState> States, CatalogSnapshot Catalog)
{
    /// <summary>Where an integration is in the lists: its service and its name.</summary>
    public string NameOf(Integration integration) =>
        $"{Catalog.Service(integration.ServiceId)?.Name ?? "a former service"}: {integration.Name}";

    public Integration? Find(IntegrationId? id) => Catalog.Integrations.FirstOrDefault(integration => integration.Id == id);
}
