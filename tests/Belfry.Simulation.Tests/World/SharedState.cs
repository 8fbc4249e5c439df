using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Incidents;
using Belfry.Sqlite;
using Belfry.Testing;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Simulation.Tests.World;

/// <summary>What all nodes share: the alerting tables, migrated once a process and cloned for each seed, with a small team in them.</summary>
internal sealed class SharedState
{
    public const int Partitions = 3;
    private static readonly Lazy<SharedState> Template = new(Build);

    private SharedState(SqliteMemoryOutboxStore store, IReadOnlyList<string> routingKeys, IReadOnlyList<User> users)
    {
        Store = store;
        RoutingKeys = routingKeys;
        Users = users;
    }

    public static Topics Topics { get; } = new("", Partitions);
    public static DateTimeOffset StartAt { get; } = new(2026, 3, 2, 8, 0, 0, TimeSpan.Zero);

    public SqliteMemoryOutboxStore Store { get; }
    public IReadOnlyList<string> RoutingKeys { get; }
    public IReadOnlyList<User> Users { get; }

    public static SharedState Create() => new(Template.Value.Store.Clone(), Template.Value.RoutingKeys, Template.Value.Users);

    /// <summary>What was touched since the last call: take-overs, moved positions, changed statuses.</summary>
    public IReadOnlyList<(string Kind, string Name, long Number)> TakeTouches() =>
        NodeOutboxStore.Now(Store.WriteAsync(tx =>
        {
            var touches = tx.Connection.Query<(string, string, long)>("select kind, name, number from sim_touch order by rowid").AsList();
            if (touches.Count > 0) tx.Connection.Execute("delete from sim_touch");
            return ValueTask.FromResult<IReadOnlyList<(string, string, long)>>(touches);
        }, CancellationToken.None));

    private static SharedState Build()
    {
        var store = new SqliteMemoryOutboxStore();
        AlertingSchema.MigrateAsync(store, SqlDialect.Sqlite, Pipeline.SchemaSteps, CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue();
        NodeOutboxStore.Now(store.WriteAsync(tx =>
        {
            tx.Connection.Execute("""
                create table sim_touch (kind text, name text, number bigint);
                create trigger sim_owner_i after insert on partition_epoch begin insert into sim_touch values ('owner', new.scope, new.partition_no); end;
                create trigger sim_owner_u after update on partition_epoch when new.epoch > old.epoch
                    begin insert into sim_touch values ('owner', new.scope, new.partition_no); end;
                create trigger sim_position_i after insert on fold_position begin insert into sim_touch values ('position', new.scope, new.partition_no); end;
                create trigger sim_position_u after update on fold_position begin insert into sim_touch values ('position', new.scope, new.partition_no); end;
                create trigger sim_status_i after insert on incident begin insert into sim_touch values ('status', new.id, new.status); end;
                create trigger sim_status_u after update on incident when new.status <> old.status
                    begin insert into sim_touch values ('status', new.id, new.status); end;
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
        var people = new PeopleStore(store, catalog, Topics, ids, bytes => random.NextBytes(bytes));
        var by = new Actor(null, "set-up");
        List<User> users = [];
        for (var i = 0; i < 4; i++)
        {
            var role = i == 0 ? UserRole.Administrator : UserRole.Responder;
            var user = Done(people.CreateUserAsync(new UserDraft($"User {i}", $"u{i}@example.org", "Etc/UTC", role), by, StartAt, CancellationToken.None));
            users.Add(user);
            if (i % 2 == 1) continue;
            var method = Done(people.AddContactMethodAsync(
                user.Id, new ContactMethodDraft(ContactMethodType.Webhook, "hook", $"https://hooks.example.org/u{i}"), by, StartAt, CancellationToken.None)).Method;
            Done(people.AddRuleAsync(user.Id, new NotificationRuleDraft(Urgency.High, 1, method.Id), by, StartAt, CancellationToken.None));
        }

        List<string> keys = [];
        for (var i = 0; i < 4; i++)
        {
            EscalationLevel[] levels =
                [new(2, [new EscalationTarget(TargetKind.User, users[i].Id.Value)]), new(2, [new EscalationTarget(TargetKind.User, users[(i + 1) % 4].Id.Value)])];
            var policy = Done(catalogStore.CreatePolicyAsync(new PolicyDraft($"Policy {i}", i % 2, levels), by, StartAt, CancellationToken.None));
            var service = Done(catalogStore.CreateServiceAsync(
                new ServiceDraft($"Service {i}", "", policy.Id, UrgencyRule.AlwaysHigh, i == 3 ? 180 : 0, 0), by, StartAt, CancellationToken.None));
            keys.Add(Done(catalogStore.CreateIntegrationAsync(service.Id, new IntegrationDraft("events"), by, StartAt, CancellationToken.None)).RoutingKey);
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
        NodeOutboxStore.Now(change) is ChangeResult<T>.Done done ? done.Value : throw new InvalidOperationException(NodeOutboxStore.Now(change).Explanation);
}
