using System.Data.Common;
using Belfry.Alerting.OnCall;
using Dapper;

namespace Belfry.Alerting.Catalog;

/// <summary>The document tables of services, integrations, policies and schedules.</summary>
internal static class CatalogTables
{
    public static DocumentTable<Service> Services { get; } = new("service", CatalogJson.Default.Service, "name, id", "name");

    public static DocumentTable<Integration> Integrations { get; } =
        new("integration", CatalogJson.Default.Integration, "name, id", "name", "service_id", "routing_key");

    public static DocumentTable<EscalationPolicy> Policies { get; } =
        new("escalation_policy", CatalogJson.Default.EscalationPolicy, "name, id", "name", "content_version");

    public static DocumentTable<OnCallSchedule> Schedules { get; } = new(
        "oncall_schedule", CatalogJson.Default.OnCallSchedule, "name, id", "name");

    /// <summary>Saves the policy under the next version of its content, and keeps the former ones.</summary>
    public static void SavePolicy(DbConnection connection, EscalationPolicy policy, DateTimeOffset now)
    {
        var id = policy.Id.ToString();
        var version = 1 + connection.ExecuteScalar<long>(
            "select coalesce(max(content_version), 0) from escalation_policy_version where policy_id = @id", new { id });
        Policies.Save(connection, id, policy, policy.Name, version);
        connection.Execute(
            "insert into escalation_policy_version (policy_id, content_version, saved_at, document) values (@id, @version, @at, @document)",
            new { id, version, at = now.ToUnixTimeMilliseconds(), document = Policies.Text(policy) });
    }
}
