using Belfry.Outbox;

namespace Belfry.Alerting.Catalog;

/// <summary>What a caller says of a service. Timeouts in seconds, null or 0: off; bounds as in <see cref="Service"/>.</summary>
public sealed record ServiceDraft(
    string Name, string Description, PolicyId PolicyId, UrgencyRule Urgency = UrgencyRule.AlwaysHigh,
    int? AcknowledgementTimeoutSeconds = 1_800, int? AutoResolveSeconds = 14_400);

/// <summary>What a caller says of an integration. Events per minute: 1 to 1,000,000.</summary>
public sealed record IntegrationDraft(string Name, bool Enabled = true, int EventsPerMinute = 7_200);

/// <summary>What a caller says of a policy; bounds as in <see cref="EscalationPolicy"/>. Targets must exist.</summary>
public sealed record PolicyDraft(string Name, int NumLoops, IReadOnlyList<EscalationLevel> Levels);

/// <summary>
/// Services, their integrations, and escalation policies. Every change is one transaction: tables, catalog version and audit row.
/// </summary>
public sealed class CatalogStore(IOutboxStore store, CatalogReader catalog, IdSource ids, SecretSource secrets)
{
    public ValueTask<ChangeResult<Service>> CreateServiceAsync(ServiceDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException($"{store}{catalog}{ids}{secrets}");

    public ValueTask<ChangeResult<Service>> UpdateServiceAsync(
        ServiceId id, ServiceDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>With its integrations. Its incidents stay.</summary>
    public ValueTask<ChangeResult<Service>> DeleteServiceAsync(ServiceId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<Service?> FindServiceAsync(ServiceId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<Service>> ListServicesAsync(int offset, int limit, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<ChangeResult<Integration>> CreateIntegrationAsync(
        ServiceId service, IntegrationDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<ChangeResult<Integration>> UpdateIntegrationAsync(
        IntegrationId id, IntegrationDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Gives the integration a new routing key; the old one is refused from now on.</summary>
    public ValueTask<ChangeResult<Integration>> RotateRoutingKeyAsync(IntegrationId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<ChangeResult<Integration>> DeleteIntegrationAsync(IntegrationId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<Integration?> FindIntegrationAsync(IntegrationId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Of one service, or of all when null; by name, then id.</summary>
    public ValueTask<Page<Integration>> ListIntegrationsAsync(ServiceId? service, int offset, int limit, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<ChangeResult<EscalationPolicy>> CreatePolicyAsync(PolicyDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>Incidents that are open keep the version that held when they triggered; former versions are kept.</summary>
    public ValueTask<ChangeResult<EscalationPolicy>> UpdatePolicyAsync(
        PolicyId id, PolicyDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>In use by services: refused.</summary>
    public ValueTask<ChangeResult<EscalationPolicy>> DeletePolicyAsync(PolicyId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<EscalationPolicy?> FindPolicyAsync(PolicyId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<EscalationPolicy>> ListPoliciesAsync(int offset, int limit, CancellationToken cancel) => throw new NotSupportedException();
}
