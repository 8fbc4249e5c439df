using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;

namespace Belfry.Alerting.Planning;

/// <summary>A rule that will be followed, and the method it uses.</summary>
internal sealed record PlannedRule(NotificationRuleId RuleId, int DelayMinutes, ContactMethod Method);

/// <summary>A rule, or with a null id the whole plan, that leads to nothing, and why.</summary>
internal sealed record SkippedRule(NotificationRuleId? RuleId, string Reason);

/// <summary>
/// Which of a user's rules an assignment sets off: a pure function of the two, so that repeats and restarts plan alike.
/// Source: on-call rules, section 3.
/// </summary>
internal sealed record NotificationPlan(IReadOnlyList<PlannedRule> Rules, IReadOnlyList<SkippedRule> Skipped)
{
    public bool ReachesNobody => Rules.Count == 0;

    /// <summary>True when no rule could be followed and the plan is the user's email instead.</summary>
    public bool IsFallback { get; private init; }

    /// <summary>Rules by delay, then id. High urgency without a usable rule falls back to the first email method that is enabled.</summary>
    public static NotificationPlan Of(ContactRules? contact, Urgency urgency)
    {
        if (contact is null) return new([], [new(null, "no contact methods are known for the user")]);
        List<PlannedRule> planned = [];
        List<SkippedRule> skipped = [];
        var inOrder = contact.Rules.Where(rule => rule.Urgency == urgency)
            .OrderBy(rule => rule.StartDelayMinutes).ThenBy(rule => rule.Id.Value);
        foreach (var rule in inOrder)
        {
            var method = contact.Methods.FirstOrDefault(method => method.Id == rule.ContactMethodId);
            if (method is { Enabled: true }) planned.Add(new(rule.Id, rule.StartDelayMinutes, method));
            else skipped.Add(new(rule.Id, WhyUnusable(method)));
        }

        if (planned.Count > 0) return new(planned, skipped);
        var word = NameOf(urgency);
        skipped.Add(new(null, skipped.Count == 0
            ? $"no notification rule of the user matches {word} urgency"
            : $"no contact method of the user's rules for {word} urgency is usable"));
        var fallback = urgency == Urgency.High ? FallbackOf(contact) : null;
        return new(fallback is null ? [] : [fallback], skipped) { IsFallback = fallback is not null };
    }

    public static string NameOf(Urgency urgency) => urgency == Urgency.High ? "high" : "low";

    public static string WhyUnusable(ContactMethod? method) =>
        method is null ? "the rule's contact method is gone" : "the rule's contact method is disabled";

    private static PlannedRule? FallbackOf(ContactRules contact) =>
        contact.Methods.Where(method => method is { Type: ContactMethodType.Email, Enabled: true }).OrderBy(method => method.Id.Value)
            .FirstOrDefault() is { } email
            ? new PlannedRule(Id.Derive<NotificationRuleId>(email.Id.Value, "fallback"), 0, email)
            : null;
}
