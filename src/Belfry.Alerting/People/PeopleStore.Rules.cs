using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;

namespace Belfry.Alerting.People;

/// <summary>What a caller says of a rule. Delay in minutes, 0 to 1,440; the method must be the same user's.</summary>
public sealed record NotificationRuleDraft(Urgency Urgency, int StartDelayMinutes, ContactMethodId ContactMethodId);

public sealed partial class PeopleStore
{
    private const int RulesMax = 100;

    public ValueTask<ChangeResult<NotificationRule>> AddRuleAsync(
        UserId user, NotificationRuleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var id = ids.Next<NotificationRuleId>();
        return _writer.ChangeAsync<NotificationRule>(by, now, change =>
        {
            if (PeopleTables.Users.Find(change.Connection, user.ToString()) is not { } owner) return MissingUser<NotificationRule>(user);
            var faults = FaultsOf(draft, change, user);
            var count = PeopleTables.Rules.AllWhere(change.Connection, "user_id", user.ToString()).Count;
            faults.Unless(count < RulesMax, $"User '{owner.Name}' has {count} of at most {RulesMax} notification rules; delete one.");
            if (faults.Any) return new ChangeResult<NotificationRule>.Invalid(faults.Faults);
            var rule = new NotificationRule(id, user, draft.Urgency, draft.StartDelayMinutes, draft.ContactMethodId);
            SaveRule(change, former: null, rule);
            PublishContactRules(change, user);
            return new ChangeResult<NotificationRule>.Done(rule);
        }, cancel);
    }

    /// <summary>Holds for assignments from now on; timers that wait look the rule up when they fire.</summary>
    public ValueTask<ChangeResult<NotificationRule>> UpdateRuleAsync(
        UserId user, NotificationRuleId id, NotificationRuleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<NotificationRule>(by, now, change =>
        {
            if (FindRule(change, user, id) is not { } former) return MissingRule(id);
            var faults = FaultsOf(draft, change, user);
            if (faults.Any) return new ChangeResult<NotificationRule>.Invalid(faults.Faults);
            var rule = new NotificationRule(id, user, draft.Urgency, draft.StartDelayMinutes, draft.ContactMethodId);
            SaveRule(change, former, rule);
            PublishContactRules(change, user);
            return new ChangeResult<NotificationRule>.Done(rule);
        }, cancel);

    public ValueTask<ChangeResult<NotificationRule>> DeleteRuleAsync(
        UserId user, NotificationRuleId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<NotificationRule>(by, now, change =>
        {
            if (FindRule(change, user, id) is not { } rule) return MissingRule(id);
            RemoveRule(change, rule);
            PublishContactRules(change, user);
            return new ChangeResult<NotificationRule>.Done(rule);
        }, cancel);

    private static NotificationRule? FindRule(ConfigurationChange change, UserId user, NotificationRuleId id) =>
        PeopleTables.Rules.Find(change.Connection, id.ToString()) is { } rule && rule.UserId == user ? rule : null;

    private static FaultList FaultsOf(NotificationRuleDraft draft, ConfigurationChange change, UserId user)
    {
        var faults = new FaultList();
        faults.Unless(Enum.IsDefined(draft.Urgency), $"Urgency {(int)draft.Urgency} is unknown.");
        faults.Range("The delay in minutes", draft.StartDelayMinutes, 0, 1_440);
        faults.Unless(
            FindMethod(change, user, draft.ContactMethodId) is not null, $"The user has no contact method {draft.ContactMethodId}.");
        return faults;
    }

    private static void SaveRule(ConfigurationChange change, NotificationRule? former, NotificationRule rule)
    {
        PeopleTables.Rules.Save(change.Connection, rule.Id.ToString(), rule, rule.UserId.ToString());
        change.Saved(
            ObjectKinds.NotificationRule, rule.Id.ToString(), NameOf(rule),
            [new(ObjectKinds.ContactMethod, rule.ContactMethodId.ToString())],
            former is null ? null : PeopleTables.Rules.Text(former), PeopleTables.Rules.Text(rule));
    }

    private static void RemoveRule(ConfigurationChange change, NotificationRule rule)
    {
        PeopleTables.Rules.Delete(change.Connection, rule.Id.ToString());
        change.Deleted(ObjectKinds.NotificationRule, rule.Id.ToString(), PeopleTables.Rules.Text(rule));
    }

    private static string NameOf(NotificationRule rule) =>
        $"{(rule.Urgency == Urgency.High ? "high" : "low")} urgency after {rule.StartDelayMinutes} min";

    private static ChangeResult<NotificationRule>.Missing MissingRule(NotificationRuleId id) => new($"notification rule {id}");
}
