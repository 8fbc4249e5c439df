using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// All configuration that decisions need, as of one instant: an input to the cores, never looked up by them. Replaced as a whole when
/// anything changes. Lookups of unknown ids give null.
/// </summary>
public sealed class CatalogSnapshot
{
    private readonly Dictionary<ServiceId, Service> _services;
    private readonly Dictionary<string, Integration> _integrations;
    private readonly Dictionary<PolicyId, EscalationPolicy> _policies;
    private readonly Dictionary<ScheduleId, OnCallSchedule> _schedules;
    private readonly Dictionary<UserId, User> _users;

    public CatalogSnapshot(
        long version, IEnumerable<Service> services, IEnumerable<Integration> integrations, IEnumerable<EscalationPolicy> policies,
        IEnumerable<OnCallSchedule> schedules, IEnumerable<User> users)
    {
        Version = version;
        _services = services.ToDictionary(s => s.Id);
        _integrations = integrations.ToDictionary(i => i.RoutingKey, StringComparer.Ordinal);
        _policies = policies.ToDictionary(p => p.Id);
        _schedules = schedules.ToDictionary(s => s.Id);
        _users = users.ToDictionary(u => u.Id);
        Fallback = [.. _users.Values.Where(u => u.Role == UserRole.Administrator).Select(u => u.Id).OrderBy(id => id.Value)];
    }

    public static CatalogSnapshot Empty { get; } = new(0, [], [], [], [], []);

    /// <summary>Grows with each change of the configuration.</summary>
    public long Version { get; }

    /// <summary>Who is told when nobody is on call: the administrators.</summary>
    public IReadOnlyList<UserId> Fallback { get; }

    public IReadOnlyCollection<Service> Services => _services.Values;
    public IReadOnlyCollection<Integration> Integrations => _integrations.Values;
    public IReadOnlyCollection<EscalationPolicy> Policies => _policies.Values;
    public IReadOnlyCollection<OnCallSchedule> Schedules => _schedules.Values;
    public IReadOnlyCollection<User> Users => _users.Values;

    public Service? Service(ServiceId id) => _services.GetValueOrDefault(id);
    public Integration? IntegrationOf(string routingKey) => _integrations.GetValueOrDefault(routingKey);
    public EscalationPolicy? Policy(PolicyId id) => _policies.GetValueOrDefault(id);
    public OnCallSchedule? Schedule(ScheduleId id) => _schedules.GetValueOrDefault(id);
    public User? User(UserId id) => _users.GetValueOrDefault(id);
}
