using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>A claim's result, and the row to write (null: leave it).</summary>
public sealed record ClaimStep(ClaimResult Result, DeliveryRow? Write);

/// <summary>
/// The transition table of a delivery row. Every store applies it inside its transaction, after it has checked the fence, so that
/// the rules stand once. Pure.
/// <code>
/// row state             | claim                                             | claim to skip | completion (same epoch, same attempt)
/// none                  | Sending, attempt 1: Granted                       | Skipped       | refused
/// Retry                 | Sending, attempt + 1: Granted; out of them: Dead  | Skipped       | refused
/// Sending, this epoch   | InFlight                                          | InFlight      | Sent, Retry, Unknown, Dead, Skipped
/// Sending, older epoch  | by policy: Sending, attempt + 1: Granted, resumed | Skipped       | refused
///                       | AtMostOnce: Unknown; lost too often: Dead         |               |
/// Sending, newer epoch  | HeldByNewer                                       | HeldByNewer   | refused
/// Sent, Unknown, Dead,  | Ended; a higher generation: as Retry              | Ended         | refused, but true for a repeat
/// Skipped               |                                                   |               |
/// </code>
/// A completion to Retry that says nothing was sent takes the attempt back: the row is as before its claim.
/// </summary>
public static class DeliveryTransitions
{
    /// <summary>
    /// So many owners may be lost during attempts of one generation; then it is dead, since sending it may be what ends them.
    /// </summary>
    public const int LostMax = 20;

    public static ClaimStep OnClaim(DeliveryRow? row, DeliveryClaim claim, long epoch, DateTimeOffset now)
    {
        row ??= Fresh(claim, now);
        if (row.IsFinal)
        {
            if (claim.Generation <= row.Generation) return new(new(ClaimVerdict.Ended, row), null);
            row = Reopened(row, claim.Generation);
        }

        if (row.State == DeliveryState.Sending && row.Epoch == epoch) return new(new(ClaimVerdict.InFlight, row), null);
        if (row.State == DeliveryState.Sending && row.Epoch > epoch) return new(new(ClaimVerdict.HeldByNewer, row), null);

        var crashed = row.State == DeliveryState.Sending;
        var touched = row with { Epoch = epoch, UpdatedAt = now, NextAt = null };
        if (claim.SkipReason is { } skip)
        {
            return End(touched, DeliveryState.Skipped, crashed ? $"{skip} (attempt {row.Attempt} may have gone out)" : skip, claim);
        }

        if (crashed && claim.WhenUnknown == UnknownOutcomePolicy.AtMostOnce)
        {
            return End(touched, DeliveryState.Unknown, $"the owner was lost during attempt {row.Attempt}", claim);
        }

        if (crashed) touched = touched with { AttemptsLost = row.AttemptsLost + 1 };
        if (touched.AttemptsLost > LostMax)
        {
            var lost = $"its owner was lost during {touched.AttemptsLost} attempts of at most {LostMax}";
            return End(touched, DeliveryState.Dead, lost, claim);
        }

        if (touched.AttemptsSpent >= claim.AttemptsMax)
        {
            var spent = $"out of attempts, {touched.AttemptsSpent} of at most {claim.AttemptsMax}";
            return End(touched, DeliveryState.Dead, $"{spent}: {row.Reason ?? "no reason kept"}", claim);
        }

        var granted = touched with { State = DeliveryState.Sending, Attempt = row.Attempt + 1, Reason = null };
        return new(new(ClaimVerdict.Granted, granted, crashed), granted);
    }

    /// <summary>The row to write; null when <paramref name="accepted"/> says a repeat, or a refusal.</summary>
    public static DeliveryRow? OnComplete(DeliveryRow? row, DeliveryCompletion completion, long epoch, DateTimeOffset now,
        out bool accepted)
    {
        accepted = row is not null && row.Epoch == epoch && row.Attempt == completion.Attempt
            && (row.State == DeliveryState.Sending || row.State == completion.State);
        if (!accepted || row!.State != DeliveryState.Sending) return null;
        return row with
        {
            State = completion.State,
            Attempt = completion is { State: DeliveryState.Retry, NothingSent: true } ? row.Attempt - 1 : row.Attempt,
            Reason = completion.Reason,
            ProviderReference = completion.ProviderReference,
            NextAt = completion.NextAt,
            UpdatedAt = now,
            RecordKey = KeptOf(completion.Record, completion.State)?.Key,
            RecordValue = KeptOf(completion.Record, completion.State)?.Value,
        };
    }

    private static LogRecord? KeptOf(LogRecord record, DeliveryState state) =>
        state is DeliveryState.Dead or DeliveryState.Unknown ? record : null;

    private static DeliveryRow Fresh(DeliveryClaim claim, DateTimeOffset now) => new()
    {
        Day = claim.Delivery.Day,
        IdempotencyKey = claim.Delivery.IdempotencyKey,
        Channel = claim.Delivery.Channel,
        Recipient = claim.Delivery.Recipient,
        State = DeliveryState.Retry,
        Epoch = 0,
        Attempt = 0,
        Generation = claim.Generation,
        UpdatedAt = now,
    };

    private static DeliveryRow Reopened(DeliveryRow row, int generation) => row with
    {
        State = DeliveryState.Retry,
        Generation = generation,
        AttemptsBefore = row.Attempt,
        AttemptsLost = 0,
        ProviderReference = null,
        RecordKey = null,
        RecordValue = null,
    };

    private static ClaimStep End(DeliveryRow row, DeliveryState state, string reason, DeliveryClaim claim)
    {
        var ended = row with
        {
            State = state,
            Reason = reason,
            RecordKey = KeptOf(claim.Record, state)?.Key,
            RecordValue = KeptOf(claim.Record, state)?.Value,
        };
        return new(new(ClaimVerdict.Ended, ended), ended);
    }
}
