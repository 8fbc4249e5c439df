using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Outbox;

/// <summary>
/// Publishes one lane in order, each message at least once: reads pending rows, appends them, deletes them. Whoever owns the lane runs
/// its relay (a partition owner runs that of its own partition, so ownership and order are the partition's). Where several processes run
/// one for the same lane, the store lets one of them publish at a time.
/// </summary>
public sealed class OutboxRelay(IOutboxStore store, IPartitionedLog log, string lane, TimeProvider time, ILogger logger)
{
    /// <summary>Most messages of a lot: one that holds fewer was the whole lane.</summary>
    public const int LotMax = 500;

    private static readonly TimeSpan HeldByOther = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan BackoffMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BackoffMax = TimeSpan.FromSeconds(10);

    // The loop's own: appended, but their rows were not seen to go. They are not appended again; at most one lot.
    private readonly HashSet<long> _appended = [];

    private readonly Lock _lock = new();
    private bool _poked;
    private TaskCompletionSource? _waiter;

    /// <summary>
    /// How long the loop waits for a poke before it looks by itself. Who writes to a lane pokes its relay, so only what a dead writer of
    /// a shared lane left is found this way. Default 5 s.
    /// </summary>
    public TimeSpan LookAgain { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a lot may take from being read to being appended; past it the relay lets go of the lane, so that another process may
    /// publish it, and tries again. Where a store takes a lane back from who is silent, that must come later. Default 5 s.
    /// </summary>
    public TimeSpan LotTimeMax { get; init; } = LotTimeDefault;

    /// <summary>The default of <see cref="LotTimeMax"/>.</summary>
    public static readonly TimeSpan LotTimeDefault = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Publishes what is there, then waits for <see cref="Poke"/> (or <see cref="LookAgain"/>, for what others left). Ends on cancel;
    /// faults are retried.
    /// </summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var faults = 0;
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                var published = await PublishOnceAsync(cancel);
                faults = 0;
                if (published is null) await DelayAsync(HeldByOther, cancel);
                else if (published < LotMax) await WaitForPokeAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                var backoff = Backoff(faults++);
                logger.LogWarning(exception, "Outbox lane '{Lane}' could not publish ({Faults} times in a row); again in {Backoff}.", lane,
                    faults, backoff);
                await DelayAsync(backoff, cancel);
            }
        }
    }

    /// <summary>There is something new. Never blocks; any thread.</summary>
    public void Poke()
    {
        lock (_lock)
        {
            _poked = true;
            _waiter?.TrySetResult();
        }
    }

    /// <summary>
    /// Publishes one lot, for who runs a loop of his own. Returns how many messages it held; null: another relay has the lane, and
    /// nothing is known of what it holds. One call at a time, and not beside <see cref="RunAsync"/>.
    /// </summary>
    /// <exception cref="StoreUnavailableException">Retryable, as is <see cref="LogUnavailableException"/>.</exception>
    /// <exception cref="TimeoutException">The lot took longer than <see cref="LotTimeMax"/>; it may be appended. Retryable.</exception>
    public async Task<int?> PublishOnceAsync(CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(LotTimeMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            return await PublishLotAsync(either.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new TimeoutException($"A lot of outbox lane '{lane}' was not published within {LotTimeMax}; is the log there?");
        }
    }

    private async Task<int?> PublishLotAsync(CancellationToken cancel)
    {
        // One relay at a time, or a slow one would append again what another appended and went past: older records after newer ones.
        await using var hold = await store.TryHoldLaneAsync(lane, cancel);
        if (hold is null) return null;
        var pending = await store.PendingAsync(lane, LotMax, cancel);
        if (pending.Count == 0)
        {
            _appended.Clear();
            return 0;
        }

        // Exact sequences, not a high mark: another writer may commit a lower sequence later.
        var fresh = pending.Where(message => !_appended.Contains(message.Sequence)).ToList();
        if (fresh.Count > 0) await log.AppendAsync([.. fresh.Select(message => message.Record)], cancel);
        _appended.Clear();
        _appended.UnionWith(pending.Select(message => message.Sequence));
        await store.DeleteAsync(lane, [.. pending.Select(message => message.Sequence)], cancel);
        _appended.Clear();
        return pending.Count;
    }

    internal static TimeSpan Backoff(int faultsBefore) =>
        faultsBefore >= 7 ? BackoffMax : TimeSpan.FromTicks(Math.Min(BackoffMax.Ticks, BackoffMin.Ticks << faultsBefore));

    /// <summary>A poke does not shorten the pause after a fault: under load that would be no pause at all.</summary>
    private async Task DelayAsync(TimeSpan length, CancellationToken cancel)
    {
        try
        {
            await Task.Delay(length, time, cancel);
        }
        catch (OperationCanceledException)
        {
            // The loop looks at the token next.
        }
    }

    private async Task WaitForPokeAsync(CancellationToken cancel)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_poked) waiter.SetResult();
            else _waiter = waiter;
        }

        await using (time.CreateTimer(
            static state => ((TaskCompletionSource)state!).TrySetResult(), waiter, LookAgain, Timeout.InfiniteTimeSpan))
        await using (cancel.UnsafeRegister(static state => ((TaskCompletionSource)state!).TrySetResult(), waiter))
            await waiter.Task;
        lock (_lock)
        {
            _waiter = null;
            _poked = false;
        }
    }
}
