using System.Data.Common;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Catalog;

/// <summary>The kinds of configured objects, as they stand in audit rows and references.</summary>
internal static class ObjectKinds
{
    public const string User = "user";
    public const string ContactMethod = "contact_method";
    public const string NotificationRule = "notification_rule";
    public const string Service = "service";
    public const string Integration = "integration";
    public const string Policy = "escalation_policy";
    public const string Schedule = "schedule";

    /// <summary>Such as <c>escalation policy 'Payments'</c>.</summary>
    public static string Describe(string kind, string name) => $"{kind.Replace('_', ' ')} '{name}'";
}

/// <summary>An object that another refers to.</summary>
internal readonly record struct ObjectReference(string Kind, string Id);

/// <summary>
/// One change inside its transaction. Objects and references are kept here for all modules, so that "who uses this?" and "does it
/// exist?" are asked of one place and no module reads another's tables.
/// </summary>
internal sealed class ConfigurationChange(DbConnection connection, Actor by, DateTimeOffset now)
{
    public const string Lane = "people";
    private const int ReferrersShownMax = 20;
    private readonly List<OutgoingRecord> _records = [];

    public DbConnection Connection => connection;
    public DateTimeOffset Now => now;

    /// <summary>An object and what it refers to. <paramref name="before"/> is null when it is new.</summary>
    public void Saved(string kind, string id, string name, IEnumerable<ObjectReference> references, string? before, string after)
    {
        connection.Execute(
            "insert into configuration_object (kind, id, name) values (@kind, @id, @name) " +
            "on conflict (kind, id) do update set name = excluded.name",
            new { kind, id, name });
        connection.Execute("delete from configuration_reference where from_kind = @kind and from_id = @id", new { kind, id });
        foreach (var to in references.Distinct())
            connection.Execute(
                "insert into configuration_reference (from_kind, from_id, to_kind, to_id) values (@kind, @id, @toKind, @toId)",
                new { kind, id, toKind = to.Kind, toId = to.Id });
        AuditLog.Append(connection, by, now, before is null ? "create" : "update", kind, id, before, after);
    }

    public void Deleted(string kind, string id, string before)
    {
        connection.Execute("delete from configuration_reference where from_kind = @kind and from_id = @id", new { kind, id });
        connection.Execute("delete from configuration_object where kind = @kind and id = @id", new { kind, id });
        AuditLog.Append(connection, by, now, "delete", kind, id, before, after: null);
    }

    /// <summary>A record that is published once this change is durable.</summary>
    public void Publish(OutgoingRecord record) => _records.Add(record);

    public bool Exists(string kind, string id) =>
        connection.ExecuteScalar<long>("select count(*) from configuration_object where kind = @kind and id = @id", new { kind, id }) > 0;

    /// <summary>Who refers to an object, by kind and name; past 20 the rest is counted.</summary>
    public IReadOnlyList<string> ReferrersOf(string kind, string id)
    {
        var all = connection.Query<(string Kind, string Name)>("""
            select o.kind, o.name from configuration_reference r join configuration_object o on o.kind = r.from_kind and o.id = r.from_id
            where r.to_kind = @kind and r.to_id = @id order by o.kind, o.name, o.id
            """, new { kind, id }).Select(row => ObjectKinds.Describe(row.Kind, row.Name)).ToList();
        return all.Count <= ReferrersShownMax ? all : [.. all.Take(ReferrersShownMax), $"{all.Count - ReferrersShownMax} more"];
    }

    internal async ValueTask FinishAsync(OutboxTransaction transaction)
    {
        connection.Execute("update catalog_version set version = version + 1 where id = 1");
        if (_records.Count > 0) await transaction.AddAsync(Lane, _records);
    }
}

/// <summary>Runs changes one after another, and shows each to this process before it returns.</summary>
internal sealed class ConfigurationWriter(IOutboxStore store, CatalogReader catalog)
{
    /// <summary>Only <see cref="ChangeResult{T}.Done"/> may have written; everything else leaves no trace.</summary>
    public async ValueTask<ChangeResult<T>> ChangeAsync<T>(
        Actor by, DateTimeOffset now, Func<ConfigurationChange, ChangeResult<T>> work, CancellationToken cancel)
    {
        try
        {
            var result = await store.WriteAsync(async transaction =>
            {
                // Locks the row until the commit: checks of names and references see every earlier change, on any database.
                transaction.Connection.Execute("update catalog_version set version = version where id = 1");
                var change = new ConfigurationChange(transaction.Connection, by, now);
                var outcome = work(change);
                if (outcome is ChangeResult<T>.Done) await change.FinishAsync(transaction);
                return outcome;
            }, cancel);
            if (result is ChangeResult<T>.Done) await catalog.RefreshAsync(cancel);
            return result;
        }
        finally
        {
            // Also after a fault: a commit whose answer was lost has left its records to publish.
            catalog.Poke();
        }
    }
}
