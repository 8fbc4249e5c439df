using System.Text;

namespace Belfry.Alerting.Catalog;

public sealed partial class CatalogStore
{
    private const string KeyAlphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const int KeyLength = 32;

    public ValueTask<ChangeResult<Integration>> CreateIntegrationAsync(
        ServiceId service, IntegrationDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var (id, key) = (ids.Next<IntegrationId>(), NewRoutingKey());
        return _writer.ChangeAsync<Integration>(by, now, change =>
        {
            if (!change.Exists(ObjectKinds.Service, service.ToString())) return new ChangeResult<Integration>.Missing($"service {service}");
            var faults = FaultsOf(draft);
            return faults.Any
                ? new ChangeResult<Integration>.Invalid(faults.Faults)
                : Save(change, null, new Integration(id, service, draft.Name.Trim(), key, draft.Enabled, draft.EventsPerMinute));
        }, cancel);
    }

    public ValueTask<ChangeResult<Integration>> UpdateIntegrationAsync(
        IntegrationId id, IntegrationDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<Integration>(by, now, change =>
        {
            if (CatalogTables.Integrations.Find(change.Connection, id.ToString()) is not { } former) return MissingIntegration(id);
            var faults = FaultsOf(draft);
            return faults.Any
                ? new ChangeResult<Integration>.Invalid(faults.Faults)
                : Save(
                    change, former,
                    former with { Name = draft.Name.Trim(), Enabled = draft.Enabled, EventsPerMinute = draft.EventsPerMinute });
        }, cancel);

    /// <summary>Gives the integration a new routing key; the old one is refused from now on.</summary>
    public ValueTask<ChangeResult<Integration>> RotateRoutingKeyAsync(
        IntegrationId id, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var key = NewRoutingKey();
        return _writer.ChangeAsync<Integration>(by, now, change =>
            CatalogTables.Integrations.Find(change.Connection, id.ToString()) is { } former
                ? Save(change, former, former with { RoutingKey = key })
                : MissingIntegration(id), cancel);
    }

    public ValueTask<ChangeResult<Integration>> DeleteIntegrationAsync(
        IntegrationId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<Integration>(by, now, change =>
        {
            if (CatalogTables.Integrations.Find(change.Connection, id.ToString()) is not { } integration) return MissingIntegration(id);
            Remove(change, integration);
            return new ChangeResult<Integration>.Done(integration);
        }, cancel);

    public ValueTask<Integration?> FindIntegrationAsync(IntegrationId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Integrations.Find(connection, id.ToString())), cancel);

    /// <summary>Of one service, or of all when null; by name, then id.</summary>
    public ValueTask<Page<Integration>> ListIntegrationsAsync(ServiceId? service, int offset, int limit, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(service is { } of
            ? CatalogTables.Integrations.Page(connection, offset, limit, "service_id", of.ToString())
            : CatalogTables.Integrations.Page(connection, offset, limit)), cancel);

    private static ChangeResult<Integration>.Done Save(ConfigurationChange change, Integration? former, Integration integration)
    {
        CatalogTables.Integrations.Save(
            change.Connection, integration.Id.ToString(), integration, integration.Name, integration.ServiceId.ToString(),
            integration.RoutingKey);
        change.Saved(
            ObjectKinds.Integration, integration.Id.ToString(), integration.Name, [], former is null ? null : Audited(former),
            Audited(integration));
        return new(integration);
    }

    private static void Remove(ConfigurationChange change, Integration integration)
    {
        CatalogTables.Integrations.Delete(change.Connection, integration.Id.ToString());
        change.Deleted(ObjectKinds.Integration, integration.Id.ToString(), Audited(integration));
    }

    // Whoever has the key can raise incidents: the audit log shows enough to tell keys apart, and no more.
    private static string Audited(Integration integration) =>
        CatalogTables.Integrations.Text(integration with { RoutingKey = integration.RoutingKey[..4] + "…" });

    private static FaultList FaultsOf(IntegrationDraft draft)
    {
        var faults = new FaultList();
        faults.Name("Name", draft.Name, 255);
        faults.Range("Events per minute", draft.EventsPerMinute, 1, 1_000_000);
        return faults;
    }

    // 62 characters out of a byte: values past 247 are drawn again, so that each character is equally likely.
    private string NewRoutingKey()
    {
        var key = new StringBuilder(KeyLength);
        Span<byte> drawn = stackalloc byte[KeyLength];
        while (key.Length < KeyLength)
        {
            secrets(drawn);
            foreach (var value in drawn)
                if (value < KeyAlphabet.Length * 4 && key.Length < KeyLength)
                    key.Append(KeyAlphabet[value % KeyAlphabet.Length]);
        }

        return key.ToString();
    }

    private static ChangeResult<Integration>.Missing MissingIntegration(IntegrationId id) => new($"integration {id}");
}
