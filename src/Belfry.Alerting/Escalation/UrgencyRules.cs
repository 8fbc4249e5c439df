using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;

namespace Belfry.Alerting.Escalation;

/// <summary>How urgent an alert makes its incident. Source: on-call rules, section 3.</summary>
public static class UrgencyRules
{
    /// <summary>By severity: critical, error and missing are high; warning and info are low.</summary>
    public static Urgency Of(UrgencyRule rule, Severity? severity) => rule switch
    {
        UrgencyRule.AlwaysHigh => Urgency.High,
        UrgencyRule.AlwaysLow => Urgency.Low,
        UrgencyRule.BySeverity => severity is Severity.Warning or Severity.Info ? Urgency.Low : Urgency.High,
        _ => throw new ArgumentOutOfRangeException(nameof(rule), rule, "Unknown urgency rule."),
    };
}
