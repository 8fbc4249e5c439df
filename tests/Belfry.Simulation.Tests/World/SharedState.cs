using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Incidents;
using Belfry.Sqlite;
using Belfry.Testing;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Simulation.Tests.World;

/// <summary>What all nodes share: the alerting tables and a small team in them, migrated once a process, cloned for each seed.</summary>
internal sealed class SharedState
{
    public const int Partitions = 3;
    private static readonly Lazy<SharedState> Template = new(Build);

    private readonly Dictionary<string, SimulatedNode> _lanes = new(StringComparer.Ordinal);
    private List<(string Kind, string Name, long Number)> _touches = [];

    private SharedState(SqliteMemoryOutboxStore store, IReadOnlyList<string> routingKeys, IReadOnlyList<User> users)
    {
        Store = store;
        RoutingKeys = routingKeys;
        Users = users;
        Listen();
    }

    public static Topics Topics { get; } = new("", Partitions);
    public static SecretBox Box { get; } = new(new byte[SecretBox.KeyBytes]);
    public static DateTimeOffset StartAt { get; } = new(2026, 3, 2, 8, 0, 0, TimeSpan.Zero);

    public SqliteMemoryOutboxStore Store { get; }
    public IReadOnlyList<string> RoutingKeys { get; }
    public IReadOnlyList<User> Users { get; }

    public static SharedState Create() => new(Template.Value.Store.Clone(), Template.Value.RoutingKeys, Template.Value.Users);

    /// <summary>What was touched since the last call: take-overs, moved positions, changed statuses.</summary>
    public IReadOnlyList<(string Kind, string Name, long Number)> TakeTouches()
    {
        if (_touches.Count == 0) return [];
        (var touches, _touches) = (_touches, []);
        return touches;
    }

    /// <summary>False while another node that lives holds it; one that is cut off goes on holding it.</summary>
    public bool TryHoldLane(string lane, SimulatedNode node)
    {
        if (_lanes.TryGetValue(lane, out var holder) && holder != node && !holder.IsDead) return false;
        _lanes[lane] = node;
        return true;
    }

    public void LetGoOfLane(string lane, SimulatedNode node)
    {
        if (_lanes.GetValueOrDefault(lane) == node) _lanes.Remove(lane);
    }

    // The triggers tell of each change at once; what a rolled back transaction told is taken and thrown away.
    private void Listen() => NodeOutboxStore.Now(Store.ReadAsync(connection =>
    {
        ((SqliteConnection)connection).CreateFunction("sim_touch", (string kind, string name, long number) =>
        {
            _touches.Add((kind, name, number));
            return 0L;
        });
        return ValueTask.FromResult(true);
    }, CancellationToken.None));

    private static SharedState Build()
    {
        var store = new SqliteMemoryOutboxStore();
        NodeOutboxStore.Now(new ValueTask(
            AlertingSchema.MigrateAsync(store, SqlDialect.Sqlite, Pipeline.SchemaSteps, AlertingSchema.StepMax, CancellationToken.None)));
        NodeOutboxStore.Now(store.WriteAsync(tx =>
        {
            tx.Connection.Execute("""
                create trigger sim_owner_i after insert on partition_epoch
                    begin select sim_touch('owner', new.scope, new.partition_no); end;
                create trigger sim_owner_u after update on partition_epoch when new.epoch > old.epoch
                    begin select sim_touch('owner', new.scope, new.partition_no); end;
                create trigger sim_position_i after insert on fold_position
                    begin select sim_touch('position', new.scope, new.partition_no); end;
                create trigger sim_position_u after update on fold_position
                    begin select sim_touch('position', new.scope, new.partition_no); end;
                create trigger sim_status_i after insert on incident begin select sim_touch('status', new.id, new.status); end;
                create trigger sim_status_u after update on incident when new.status <> old.status
                    begin select sim_touch('status', new.id, new.status); end;
                """);
            return ValueTask.FromResult(true);
        }, CancellationToken.None));
        return Populate(store);
    }

    private static SharedState Populate(SqliteMemoryOutboxStore store)
    {
        var random = new Random(7);
        var catalog = new CatalogReader(store, new SimulatedLog(new ManualTime(StartAt)), new ManualTime(StartAt), NullLogger.Instance);
        var ids = new IdSource(() => NextId(random, StartAt));
        var catalogStore = new CatalogStore(store, catalog, ids, bytes => random.NextBytes(bytes));
        var people = new PeopleStore(store, catalog, Topics, ids, bytes => random.NextBytes(bytes), Box);
        var by = new Actor(null, "set-up");
        List<User> users = [];
        for (var i = 0; i < 4; i++)
        {
            var role = i == 0 ? UserRole.Administrator : UserRole.Responder;
            var draft = new UserDraft($"User {i}", $"u{i}@example.org", "Etc/UTC", role);
            var user = Done(people.CreateUserAsync(draft, by, StartAt, CancellationToken.None));
            users.Add(user);
            if (i % 2 == 1) continue;
            var hook = new ContactMethodDraft(ContactMethodType.Webhook, "hook", $"https://hooks.example.org/u{i}");
            var method = Done(people.AddContactMethodAsync(user.Id, hook, by, StartAt, CancellationToken.None)).Method;
            Done(people.AddRuleAsync(user.Id, new NotificationRuleDraft(Urgency.High, 1, method.Id), by, StartAt, CancellationToken.None));
        }

        List<string> keys = [];
        for (var i = 0; i < 4; i++)
        {
            var policyDraft = new PolicyDraft($"Policy {i}", i % 2, [LevelOf(users[i]), LevelOf(users[(i + 1) % 4])]);
            var policy = Done(catalogStore.CreatePolicyAsync(policyDraft, by, StartAt, CancellationToken.None));
            var serviceDraft = new ServiceDraft($"Service {i}", "", policy.Id, UrgencyRule.AlwaysHigh, i == 3 ? 180 : 0, 0);
            var service = Done(catalogStore.CreateServiceAsync(serviceDraft, by, StartAt, CancellationToken.None));
            var integration = new IntegrationDraft("events");
            keys.Add(Done(catalogStore.CreateIntegrationAsync(service.Id, integration, by, StartAt, CancellationToken.None)).RoutingKey);
        }

        return new SharedState(store, keys, users);
    }

    /// <summary>A UUIDv7 by a seeded source and a given time.</summary>
    public static Guid NextId(Random random, DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        random.NextBytes(bytes);
        var ms = now.ToUnixTimeMilliseconds();
        for (var i = 5; i >= 0; i--, ms >>= 8) bytes[i] = (byte)ms;
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x70);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }

    private static T Done<T>(ValueTask<ChangeResult<T>> change) =>
        NodeOutboxStore.Now(change) is var result && result is ChangeResult<T>.Done done
            ? done.Value
            : throw new InvalidOperationException(result.Explanation);

    private static EscalationLevel LevelOf(User user) => new(2, [new EscalationTarget(TargetKind.User, user.Id.Value)]);
}
