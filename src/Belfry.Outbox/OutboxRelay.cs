using Belfry.Log;
using Microsoft.Extensions.Logging;

namespace Belfry.Outbox;

/// <summary>
/// Publishes one lane in order, each message at least once: reads pending rows, appends them, deletes them. Whoever owns the lane runs
/// its relay (a partition owner runs that of its own partition, so ownership and order are the partition's).
/// </summary>
public sealed class OutboxRelay(IOutboxStore store, IPartitionedLog log, string lane, TimeProvider time, ILogger logger)
{
    /// <summary>Publishes what is there, then waits for <see cref="Poke"/> (or a second, for what others left). Ends on cancel; faults are retried.</summary>
    public Task RunAsync(CancellationToken cancel) => throw new NotSupportedException($"{store}{log}{lane}{time}{logger}");

    /// <summary>There is something new. Never blocks; any thread.</summary>
    public void Poke() => throw new NotSupportedException();
}
