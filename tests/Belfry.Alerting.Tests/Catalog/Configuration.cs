using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;
using Belfry.Alerting.Tests.Planning;
using Belfry.Alerting.Tests.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Alerting.Tests.Catalog;

/// <summary>The stores of one test over a migrated in-memory database, with ids that count and secrets from a seed.</summary>
internal sealed class Configuration : IDisposable
{
    private readonly TestStore _store;
    private readonly Random _random = new(7);
    private int _ids;

    public Configuration(StoreOpener open)
    {
        _store = open([.. CatalogSchema.Steps, .. PeopleSchema.Steps]);
        var ids = new IdSource(() => new Guid(++_ids, 0, 0x7000, [0x80, 0, 0, 0, 0, 0, 0, 0]));
        Catalog = new CatalogReader(Store, Log, Time, NullLogger.Instance);
        People = new PeopleStore(Store, Catalog, Topics, ids, _random.NextBytes, new SecretBox(new byte[SecretBox.KeyBytes]));
        Services = new CatalogStore(Store, Catalog, ids, _random.NextBytes);
        Schedules = new ScheduleStore(Store, Catalog, ids);
        Audit = new AuditLog(Store);
    }

    public static Actor Root { get; } = new(null, "root", "192.0.2.1");

    public IOutboxStore Store => _store.Store;
    public MemoryLog Log { get; } = new();
    public ManualTime Time { get; } = new();
    public Topics Topics { get; } = new(partitions: 1);
    public CatalogReader Catalog { get; }
    public PeopleStore People { get; }
    public CatalogStore Services { get; }
    public ScheduleStore Schedules { get; }
    public AuditLog Audit { get; }
    public DateTimeOffset Now => Time.GetUtcNow();

    public void Dispose() => _store.Dispose();

    public async Task<User> UserAsync(string name, UserRole role = UserRole.Responder) =>
        (await People.CreateUserAsync(new UserDraft(name, $"{name}@example.org", "Europe/Berlin", role), Root, Now, default)).Value();

    public async Task<EscalationPolicy> PolicyAsync(string name, params EscalationTarget[] targets) => (await Services.CreatePolicyAsync(
        new PolicyDraft(name, 1, [new EscalationLevel(5, targets)]), Root, Now, default)).Value();

    public async Task<Service> ServiceAsync(string name, PolicyId policy) =>
        (await Services.CreateServiceAsync(new ServiceDraft(name, "", policy), Root, Now, default)).Value();

    public async Task<Integration> IntegrationAsync(string name, ServiceId service) =>
        (await Services.CreateIntegrationAsync(service, new IntegrationDraft(name), Root, Now, default)).Value();

    public async Task<OnCallSchedule> ScheduleAsync(string name, params UserId?[] users) =>
        (await Schedules.CreateAsync(ScheduleOf(name, users), Root, Now, default)).Value();

    public static ScheduleDraft ScheduleOf(string name, params UserId?[] users) => new(name, "Europe/Berlin",
        [new ScheduleLayer("Layer", users, new DateTime(2026, 1, 1), null, new DateTime(2026, 1, 1), 86_400, [])]);

    public async Task<IReadOnlyList<OutgoingRecord>> PublishedAsync() =>
        [.. (await Store.PendingAsync("people", 1_000, default)).Select(message => message.Record)];
}

internal static class Results
{
    public static T Value<T>(this ChangeResult<T> result) =>
        result is ChangeResult<T>.Done done ? done.Value : throw new ShouldAssertException($"{result}: {result.Explanation}");

    public static IReadOnlyList<string> Faults<T>(this ChangeResult<T> result) => result.ShouldBeOfType<ChangeResult<T>.Invalid>().Faults;
}
