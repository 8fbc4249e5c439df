using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Deliveries;

/// <summary>What the owners of all partitions of a worker share.</summary>
internal sealed record DeliveryPorts(
    DeliveryRoute Route, IDeliveryStore Store, IFastClaims FastClaims, BreakerSet Breakers, DeliveryOptions Options, TimeProvider Time,
    ILogger Logger);

/// <summary>
/// The handler of one partition under one epoch, one record at a time per lane: fast claim, breaker, durable claim, still wanted, send,
/// completion, report, fast claim completed. Each await is a place to crash; the row and its epoch say what the next owner does.
/// Asked before the claim, an acknowledgement recorded between the question and the claim would still be paged over. The price: a kill
/// during the question counts as an attempt that may have gone out.
/// </summary>
internal sealed partial class PartitionDeliveries
{
    private const int KeyCharsMax = 200;

    private readonly DeliveryPorts _ports;
    private readonly DeliveryRoute _route;
    private readonly DeliveryOptions _options;
    private readonly ILogger _logger;
    private readonly TopicPartition _source;
    private readonly Random _random;
    private readonly Batcher<DeliveryClaim, ClaimResult> _claims;
    private readonly Batcher<DeliveryCompletion, bool> _completions;
    private readonly OpenDeliveries _open = new();
    private DeliveryFence _fence;
    private string _owner = "";

    /// <param name="ports">Shared.</param>
    /// <param name="source">The partition.</param>
    /// <param name="random">Of this partition alone.</param>
    public PartitionDeliveries(DeliveryPorts ports, TopicPartition source, Random random)
    {
        (_ports, _route, _options, _logger, _source, _random) = (ports, ports.Route, ports.Options, ports.Logger, source, random);
        _claims = new(
            batch => ports.Store.ClaimAsync(_fence, batch, ports.Time.GetUtcNow(), CancellationToken.None),
            claim => claim.Delivery.IdempotencyKey, _options.BatchMax, _options.BatchesMax, IsTransient);
        _completions = new(
            batch => ports.Store.CompleteAsync(_fence, batch, ports.Time.GetUtcNow(), CancellationToken.None),
            completion => completion.Delivery.IdempotencyKey, _options.BatchMax, _options.BatchesMax, IsTransient);
    }

    private string ChannelName => _route.Channel.Name;

    /// <summary>Called once, before the first record.</summary>
    public async ValueTask TakeOverAsync(CancellationToken cancel)
    {
        var epoch = await _ports.Store.TakeOverAsync(_route.Group, _source, cancel);
        _fence = new DeliveryFence(_route.Group, _source, epoch);
        _owner = $"{_route.Group}/{_source}:{epoch}";
    }

    /// <summary>
    /// A <see cref="RecordHandler"/>. The lane's own attempts count only faults of ours; those of a delivery are in its row.
    /// </summary>
    public async ValueTask<HandlerOutcome> HandleAsync(LogRecord record, int attempt, CancellationToken cancel)
    {
        DeliveryClaim? claim;
        try
        {
            claim = Decode(record);
        }
        catch (FormatException malformed)
        {
            return new HandlerOutcome.DeadLetter(malformed.Message);
        }

        if (claim is null) return HandlerOutcome.Success;
        var key = claim.Delivery.IdempotencyKey;
        if (!_open.TryStart(key)) return Again($"another record with the key '{key}' is being delivered");
        try
        {
            return _open.Find(key) is { } open ? await FinishAsync(open, cancel) : await DeliverAsync(claim, cancel);
        }
        catch (Exception fault) when (IsTransient(fault))
        {
            _logger.LogWarning(fault, "Delivery '{Key}' of {Record} waits for {Channel}'s surroundings.", key, record, ChannelName);
            return Again(fault.Message);
        }
        finally
        {
            _open.Stop(key);
        }
    }

    /// <summary>A <see cref="DeadLetterWriter"/> for records the lane gives up.</summary>
    public async ValueTask BuryAsync(LogRecord record, string reason, int attempts, CancellationToken cancel)
    {
        await _route.DeadLetters(record, reason, attempts, cancel);
        _open.Forget(record);
    }

    private DeliveryClaim? Decode(LogRecord record)
    {
        if (_route.Decode(record) is not { } delivery) return null;
        if (delivery.IdempotencyKey.Length is 0 or > KeyCharsMax)
        {
            throw new FormatException(
                $"The idempotency key of {record} has {delivery.IdempotencyKey.Length} characters, it must have 1 to {KeyCharsMax}.");
        }

        return new DeliveryClaim
        {
            Delivery = delivery,
            Record = record,
            WhenUnknown = _route.Channel.WhenUnknown,
            AttemptsMax = _options.AttemptsMax,
            Generation = DeliveryReplay.GenerationOf(record),
        };
    }

    private async ValueTask<HandlerOutcome> DeliverAsync(DeliveryClaim claim, CancellationToken cancel)
    {
        if (await _ports.FastClaims.TryClaimAsync(FastKey(claim), _owner, cancel) == FastClaim.Completed) return HandlerOutcome.Success;

        if (_ports.Breakers.TryEnter(_route.Channel.EndpointOf(claim.Delivery), out var wait) is not { } pass)
        {
            return await WaitForBreakerAsync(claim, wait, cancel);
        }

        OpenSend sent;
        try
        {
            var askedAt = _ports.Time.GetTimestamp();
            var granted = await _claims.AddAsync(claim, cancel);
            ThrowIfNewer(granted, claim);
            if (granted.Verdict == ClaimVerdict.Ended) return await SettleAsync(claim, granted.Row, cancel);
            if (granted.Resumed)
            {
                DeliveryMeter.Resume(ChannelName);
                _open.Doubt(claim, granted.Row.Attempt - 1);
            }

            if (await _route.StillWanted(claim.Delivery, cancel) is { } unwanted)
                return await SkipAsync(claim, granted.Row, unwanted, cancel);

            if (StaleSince(askedAt) is { } stale) return await LetGoAsync(claim, granted.Row, stale);
            var outcome = await SendOnceAsync(claim, granted.Row, cancel);
            sent = new OpenSend(claim, granted.Row, outcome);
            _open.Keep(sent);
            pass.Ended(DeliveryCore.EndpointAnswered(outcome));
        }
        finally
        {
            // Without effect once the pass has ended in another era of the breaker; frees the probe of one that never sent.
            pass.Cancelled();
        }

        return await FinishAsync(sent, cancel);
    }

    /// <summary>What nobody wants any more ends here, rather than wait out its endpoint's trouble.</summary>
    private async ValueTask<HandlerOutcome> WaitForBreakerAsync(DeliveryClaim claim, TimeSpan wait, CancellationToken cancel)
    {
        if (await _route.StillWanted(claim.Delivery, cancel) is not { } unwanted)
        {
            DeliveryMeter.BreakerWait(ChannelName);
            return new HandlerOutcome.Retry("the breaker of its endpoint is open", wait * (1 + Jitter()), BurnsAttempt: false);
        }

        var result = await _claims.AddAsync(claim with { SkipReason = unwanted }, cancel);
        ThrowIfNewer(result, claim);

        // A row still open was claimed by this owner before and never sent, for what was sent is open and does not come here.
        return result.Verdict == ClaimVerdict.Ended
            ? await SettleAsync(claim, result.Row, cancel)
            : await SkipAsync(claim, result.Row, unwanted, cancel);
    }

    private async ValueTask<HandlerOutcome> SkipAsync(DeliveryClaim claim, DeliveryRow row, string reason, CancellationToken cancel)
    {
        var key = claim.Delivery.IdempotencyKey;
        if (_open.InDoubt(key) is { } attempt) reason = $"{reason} (attempt {attempt} may have gone out)";
        await CompleteAsync(new DeliveryCompletion
        {
            Delivery = claim.Delivery, Record = claim.Record, Attempt = row.Attempt, State = DeliveryState.Skipped, Reason = reason,
        });
        _open.Settled(key);
        return await SettleAsync(claim, row with { State = DeliveryState.Skipped, Reason = reason }, cancel);
    }

    /// <summary>An owner that was frozen meanwhile may not be the owner any more: the claim was its last contact with the store.</summary>
    private string? StaleSince(long askedAt)
    {
        var age = _ports.Time.GetElapsedTime(askedAt);
        return age <= _options.ClaimFreshFor
            ? null
            : $"its claim took {age}, more than ClaimFreshFor, {_options.ClaimFreshFor}; not sent";
    }

    /// <summary>
    /// Nothing was sent, and the row says so: left SENDING it would be an attempt in doubt to the next owner, which at most once means
    /// never sent. Where that cannot be written, or a former owner's attempt is in doubt anyway, it stays claimed and is found so when it
    /// is asked for again.
    /// </summary>
    private async ValueTask<HandlerOutcome> LetGoAsync(DeliveryClaim claim, DeliveryRow row, string reason)
    {
        var key = claim.Delivery.IdempotencyKey;
        DeliveryMeter.StaleClaim(ChannelName);
        ClaimWasStale(key, ChannelName, reason);
        if (_open.InDoubt(key) is not null) return Again(reason);
        try
        {
            await CompleteAsync(new DeliveryCompletion
            {
                Delivery = claim.Delivery, Record = claim.Record, Attempt = row.Attempt, State = DeliveryState.Retry, Reason = reason,
                NextAt = _ports.Time.GetUtcNow() + _options.FaultWait, NothingSent = true,
            });
        }
        catch (Exception fault) when (IsTransient(fault))
        {
            ClaimWasKept(fault, key, ChannelName);
        }

        return Again(reason);
    }

    private async ValueTask<SendOutcome> SendOnceAsync(DeliveryClaim claim, DeliveryRow row, CancellationToken cancel)
    {
        var timeout = new CancellationTokenSource();
        using var timer = _ports.Time.CreateTimer(_ => CutOff(timeout, claim), null, _options.SendTimeout, Timeout.InfiniteTimeSpan);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        SendOutcome outcome;
        try
        {
            outcome = await _route.Channel.SendAsync(claim.Delivery, row.Attempt, either.Token).AsTask().OrCancelledAsync(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            outcome = new SendOutcome.Unknown($"no answer within SendTimeout, {_options.SendTimeout}");
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            _open.Keep(new OpenSend(claim, row, new SendOutcome.Unknown("the send was cut off by a stop or the handler's time limit")));
            throw;
        }
        catch (Exception fault) when (fault is not OwnershipLostException)
        {
            _logger.LogError(fault, "Channel {Channel} threw for delivery '{Key}'.", ChannelName, claim.Delivery.IdempotencyKey);
            outcome = new SendOutcome.Unknown($"the channel threw {fault.GetType().Name}: {fault.Message}");
        }

        DeliveryMeter.Sent(ChannelName, outcome);
        return outcome;
    }

    /// <summary>On a timer's thread, where what a callback of the channel throws would end the process.</summary>
    private void CutOff(CancellationTokenSource timeout, DeliveryClaim claim)
    {
        try
        {
            timeout.Cancel();
        }
        catch (Exception fault)
        {
            CallbackFailed(fault, claim.Delivery.IdempotencyKey, ChannelName);
        }
    }

    /// <summary>
    /// Records and reports what a send came to. A retry is reported before it is recorded, for afterwards its row tells nobody; an end is
    /// reported after, for its row brings every redelivery back to <see cref="SettleAsync"/>.
    /// </summary>
    private async ValueTask<HandlerOutcome> FinishAsync(OpenSend open, CancellationToken cancel)
    {
        var now = _ports.Time.GetUtcNow();
        var completion = DeliveryCore.AfterSend(open.Claim, open.Row, open.Outcome, _options, Jitter(), now);
        if (completion.State == DeliveryState.Retry) await _route.Report(EventOf(completion), cancel);
        await CompleteAsync(completion);
        _open.Settled(completion.Delivery.IdempotencyKey);
        if (completion.NextAt is { } nextAt) return new HandlerOutcome.Retry(completion.Reason!, nextAt - now, BurnsAttempt: false);
        var row = open.Row with
        {
            State = completion.State, Reason = completion.Reason, ProviderReference = completion.ProviderReference,
        };
        return await SettleAsync(open.Claim, row, cancel);
    }

    private async ValueTask CompleteAsync(DeliveryCompletion completion)
    {
        if (await _completions.AddAsync(completion, CancellationToken.None)) return;
        DeliveryMeter.Fence(ChannelName);
        throw new OwnershipLostException(
            $"Delivery '{completion.Delivery.IdempotencyKey}' is no longer in attempt {completion.Attempt} " +
            $"under epoch {_fence.Epoch} of {_source}.");
    }

    /// <summary>What every end owes, also one met again: the dead letter, the report, the fast claim.</summary>
    private async ValueTask<HandlerOutcome> SettleAsync(DeliveryClaim claim, DeliveryRow row, CancellationToken cancel)
    {
        if (row.State is DeliveryState.Dead or DeliveryState.Unknown)
        {
            await _route.DeadLetters(claim.Record, row.Reason ?? row.State.ToString(), row.AttemptsSpent, cancel);
        }

        await _route.Report(
            new DeliveryEvent(claim.Delivery, row.State, row.Attempt, row.Reason, row.ProviderReference, null), cancel);
        await _ports.FastClaims.CompleteAsync(FastKey(claim), _owner, cancel);
        return HandlerOutcome.Success;
    }

    private void ThrowIfNewer(ClaimResult result, DeliveryClaim claim)
    {
        if (result.Verdict != ClaimVerdict.HeldByNewer) return;
        throw new OwnershipLostException(
            $"Delivery '{claim.Delivery.IdempotencyKey}' is held under epoch {result.Row.Epoch}, newer than {_fence.Epoch} of {_source}.");
    }

    private double Jitter()
    {
        lock (_random) return _random.NextDouble();
    }

    private bool IsTransient(Exception fault) => fault is LogUnavailableException || _options.IsTransient(fault);

    private HandlerOutcome.Retry Again(string reason) => new(reason, _options.FaultWait, BurnsAttempt: false);

    private static string FastKey(DeliveryClaim claim) =>
        claim.Generation == 0 ? claim.Delivery.IdempotencyKey : $"{claim.Delivery.IdempotencyKey}#{claim.Generation}";

    private static DeliveryEvent EventOf(DeliveryCompletion completion) => new(
        completion.Delivery, completion.State, completion.Attempt, completion.Reason, completion.ProviderReference, completion.NextAt);
}
