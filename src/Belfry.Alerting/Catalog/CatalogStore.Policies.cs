namespace Belfry.Alerting.Catalog;

public sealed partial class CatalogStore
{
    private const int LevelsMax = 50;
    private const int TargetsMax = 10;

    public ValueTask<ChangeResult<EscalationPolicy>> CreatePolicyAsync(
        PolicyDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SavePolicyAsync(ids.Next<PolicyId>(), isNew: true, draft, by, now, cancel);

    /// <summary>Incidents that are open keep the version that held when they triggered; former versions are kept.</summary>
    public ValueTask<ChangeResult<EscalationPolicy>> UpdatePolicyAsync(
        PolicyId id, PolicyDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        SavePolicyAsync(id, isNew: false, draft, by, now, cancel);

    /// <summary>In use by services: refused.</summary>
    public ValueTask<ChangeResult<EscalationPolicy>> DeletePolicyAsync(
        PolicyId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<EscalationPolicy>(by, now, change =>
        {
            if (CatalogTables.Policies.Find(change.Connection, id.ToString()) is not { } policy) return MissingPolicy(id);
            if (change.ReferrersOf(ObjectKinds.Policy, id.ToString()) is { Count: > 0 } users)
                return new ChangeResult<EscalationPolicy>.InUse(ObjectKinds.Describe(ObjectKinds.Policy, policy.Name), users);
            CatalogTables.Policies.Delete(change.Connection, id.ToString());
            change.Deleted(ObjectKinds.Policy, id.ToString(), CatalogTables.Policies.Text(policy));
            return new ChangeResult<EscalationPolicy>.Done(policy);
        }, cancel);

    public ValueTask<EscalationPolicy?> FindPolicyAsync(PolicyId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Policies.Find(connection, id.ToString())), cancel);

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<EscalationPolicy>> ListPoliciesAsync(int offset, int limit, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(CatalogTables.Policies.Page(connection, offset, limit)), cancel);

    private ValueTask<ChangeResult<EscalationPolicy>> SavePolicyAsync(
        PolicyId id, bool isNew, PolicyDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<EscalationPolicy>(by, now, change =>
        {
            var former = isNew ? null : CatalogTables.Policies.Find(change.Connection, id.ToString());
            if (!isNew && former is null) return MissingPolicy(id);
            var faults = FaultsOf(draft, change);
            if (faults.Any) return new ChangeResult<EscalationPolicy>.Invalid(faults.Faults);
            var policy = new EscalationPolicy(id, draft.Name.Trim(), draft.NumLoops, draft.Levels);
            CatalogTables.SavePolicy(change.Connection, policy, now);
            change.Saved(
                ObjectKinds.Policy, id.ToString(), policy.Name, policy.Levels.SelectMany(level => level.Targets).Select(ReferenceOf),
                former is null ? null : CatalogTables.Policies.Text(former), CatalogTables.Policies.Text(policy));
            return new ChangeResult<EscalationPolicy>.Done(policy);
        }, cancel);

    private static FaultList FaultsOf(PolicyDraft draft, ConfigurationChange change)
    {
        var faults = new FaultList();
        faults.Name("Name", draft.Name, 255);
        faults.Range("Loops", draft.NumLoops, 0, 9);
        faults.Range("The number of levels", draft.Levels?.Count ?? 0, 1, LevelsMax);
        foreach (var (index, level) in (draft.Levels ?? []).Take(LevelsMax).Index())
        {
            var place = $"Level {index + 1}";
            faults.Range($"{place}: the delay in minutes", level.DelayMinutes, 1, 1_440);
            faults.Range($"{place}: the number of targets", level.Targets?.Count ?? 0, 1, TargetsMax);
            foreach (var target in (level.Targets ?? []).Take(TargetsMax))
            {
                var reference = ReferenceOf(target);
                faults.Unless(change.Exists(reference.Kind, reference.Id), $"{place}: there is no {reference.Kind} {reference.Id}.");
            }

            if (level.Targets is { } targets && targets.Distinct().Count() < targets.Count)
                faults.Add($"{place}: a target is named twice.");
        }

        return faults;
    }

    private static ObjectReference ReferenceOf(EscalationTarget target) =>
        new(target.Kind == TargetKind.User ? ObjectKinds.User : ObjectKinds.Schedule, target.Id.ToString("N"));

    private static ChangeResult<EscalationPolicy>.Missing MissingPolicy(PolicyId id) => new($"escalation policy {id}");
}
