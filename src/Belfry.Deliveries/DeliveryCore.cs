namespace Belfry.Deliveries;

/// <summary>What follows from one send. Pure; the rows' own rules are in <see cref="DeliveryTransitions"/>.</summary>
internal static class DeliveryCore
{
    /// <summary>The completion of the granted attempt. <paramref name="jitter"/>: 0 to 1, how much of half the wait is taken off.</summary>
    public static DeliveryCompletion AfterSend(
        DeliveryClaim claim, DeliveryRow row, SendOutcome outcome, DeliveryOptions options, double jitter, DateTimeOffset now)
    {
        var completion = new DeliveryCompletion
        {
            Delivery = claim.Delivery, Record = claim.Record, Attempt = row.Attempt, State = DeliveryState.Sent,
        };
        return outcome switch
        {
            SendOutcome.Sent sent => completion with { ProviderReference = sent.ProviderReference },
            SendOutcome.Permanent permanent => completion with { State = DeliveryState.Dead, Reason = permanent.Reason },
            SendOutcome.Unknown unknown when claim.WhenUnknown == UnknownOutcomePolicy.AtMostOnce =>
                completion with { State = DeliveryState.Unknown, Reason = unknown.Reason },
            SendOutcome.Unknown unknown => Again(unknown.Reason, null),
            SendOutcome.Transient transient => Again(transient.Reason, transient.After),
            _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, "An outcome without a rule."),
        };

        DeliveryCompletion Again(string reason, TimeSpan? providerWait) => row.AttemptsSpent >= claim.AttemptsMax
            ? completion with
            {
                State = DeliveryState.Dead, Reason = $"out of attempts, {row.AttemptsSpent} of at most {claim.AttemptsMax}: {reason}",
            }
            : completion with
            {
                State = DeliveryState.Retry, Reason = reason, NextAt = now + WaitAfter(row.AttemptsSpent, providerWait, options, jitter),
            };
    }

    /// <summary>The backoff after attempt <paramref name="attempt"/> (from 1), or what the provider asked for if that is longer.</summary>
    public static TimeSpan WaitAfter(int attempt, TimeSpan? providerWait, DeliveryOptions options, double jitter)
    {
        var planned = options.Backoff.Count == 0 ? TimeSpan.Zero : options.Backoff[Math.Min(attempt, options.Backoff.Count) - 1];
        var backoff = planned * (1 - (jitter / 2));
        if (providerWait is not { } asked || asked <= backoff) return backoff;
        return asked < options.ProviderWaitMax ? asked : options.ProviderWaitMax;
    }

    /// <summary>Whether the endpoint showed life: a refusal is an answer.</summary>
    public static bool EndpointAnswered(SendOutcome outcome) => outcome is SendOutcome.Sent or SendOutcome.Permanent;
}
