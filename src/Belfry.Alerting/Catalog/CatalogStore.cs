using Belfry.Outbox;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// What a caller says of a service. Timeouts in seconds, null or 0: off; else 60 to 31,536,000. Description: at most 4,000 characters.
/// </summary>
public sealed record ServiceDraft(
    string Name, string Description, PolicyId PolicyId, UrgencyRule Urgency = UrgencyRule.AlwaysHigh,
    int? AcknowledgementTimeoutSeconds = 1_800, int? AutoResolveSeconds = 14_400);

/// <summary>What a caller says of an integration. Events per minute: 1 to 1,000,000.</summary>
public sealed record IntegrationDraft(string Name, bool Enabled = true, int EventsPerMinute = 7_200);

/// <summary>
/// What a caller says of a policy; bounds as in <see cref="EscalationPolicy"/>, 1 to 10 targets a level. Targets must exist.
/// </summary>
public sealed record PolicyDraft(string Name, int NumLoops, IReadOnlyList<EscalationLevel> Levels);

/// <summary>
/// Services, their integrations, and escalation policies. Every change is one transaction: tables, catalog version and audit row.
/// Safe for use by several threads.
/// </summary>
public sealed partial class CatalogStore(IOutboxStore store, CatalogReader catalog, IdSource ids, SecretSource secrets)
{
    private readonly ConfigurationWriter _writer = new(store, catalog);

    public ValueTask<ChangeResult<Service>> CreateServiceAsync(
        ServiceDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SaveServiceAsync(ids.Next<ServiceId>(), isNew: true, draft, by, now, cancel);

    public ValueTask<ChangeResult<Service>> UpdateServiceAsync(
        ServiceId id, ServiceDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SaveServiceAsync(id, isNew: false, draft, by, now, cancel);

    /// <summary>With its integrations. Its incidents stay.</summary>
    public ValueTask<ChangeResult<Service>> DeleteServiceAsync(ServiceId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<Service>(by, now, change =>
        {
            if (CatalogTables.Services.Find(change.Connection, id.ToString()) is not { } service) return MissingService(id);
            foreach (var integration in CatalogTables.Integrations.AllWhere(change.Connection, "service_id", id.ToString()))
                Remove(change, integration);
            CatalogTables.Services.Delete(change.Connection, id.ToString());
            change.Deleted(ObjectKinds.Service, id.ToString(), CatalogTables.Services.Text(service));
            return new ChangeResult<Service>.Done(service);
        }, cancel);

    public ValueTask<Service?> FindServiceAsync(ServiceId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Services.Find(connection, id.ToString())), cancel);

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<Service>> ListServicesAsync(int offset, int limit, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Services.Page(connection, offset, limit)), cancel);

    private ValueTask<ChangeResult<Service>> SaveServiceAsync(
        ServiceId id, bool isNew, ServiceDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<Service>(by, now, change =>
        {
            var former = isNew ? null : CatalogTables.Services.Find(change.Connection, id.ToString());
            if (!isNew && former is null) return MissingService(id);
            var faults = FaultsOf(draft, change);
            if (faults.Any) return new ChangeResult<Service>.Invalid(faults.Faults);
            var service = new Service(
                id, draft.Name.Trim(), draft.Description, draft.PolicyId, draft.Urgency,
                draft.AcknowledgementTimeoutSeconds, draft.AutoResolveSeconds);
            CatalogTables.Services.Save(change.Connection, id.ToString(), service, service.Name);
            change.Saved(
                ObjectKinds.Service, id.ToString(), service.Name, [new(ObjectKinds.Policy, service.PolicyId.ToString())],
                former is null ? null : CatalogTables.Services.Text(former), CatalogTables.Services.Text(service));
            return new ChangeResult<Service>.Done(service);
        }, cancel);

    private static FaultList FaultsOf(ServiceDraft draft, ConfigurationChange change)
    {
        var faults = new FaultList();
        faults.Name("Name", draft.Name, 255);
        faults.Unless(
            draft.Description is { Length: <= 4_000 }, $"Description has {draft.Description?.Length ?? 0} of at most 4000 characters.");
        faults.Unless(Enum.IsDefined(draft.Urgency), $"Urgency {(int)draft.Urgency} is unknown.");
        faults.Unless(change.Exists(ObjectKinds.Policy, draft.PolicyId.ToString()), $"There is no escalation policy {draft.PolicyId}.");
        if (draft.AcknowledgementTimeoutSeconds is { } timeout and not 0)
            faults.Range("Acknowledgement timeout in seconds", timeout, 60, 31_536_000);
        if (draft.AutoResolveSeconds is { } autoResolve and not 0) faults.Range("Auto-resolve in seconds", autoResolve, 60, 31_536_000);
        return faults;
    }

    private static ChangeResult<Service>.Missing MissingService(ServiceId id) => new($"service {id}");
}
