using System.Data.Common;
using Belfry.Outbox;

namespace Belfry.Alerting.Catalog;

/// <summary>One change of the configuration. Before and after: JSON without secrets, null for what was not there.</summary>
/// <param name="Sequence">From 1, gapless.</param>
/// <param name="At">When.</param>
/// <param name="By">Who.</param>
/// <param name="Action"><c>create</c>, <c>update</c>, <c>delete</c>, or the host's own, such as <c>log_in</c>.</param>
/// <param name="Kind">Of what: <c>user</c>, <c>service</c> and so on.</param>
/// <param name="ObjectId">Its id in text form.</param>
/// <param name="Before">What it was.</param>
/// <param name="After">What it is.</param>
/// <param name="Hash">SHA-256, lower-case hexadecimal, over the previous row's hash and all of the above.</param>
public sealed record AuditEntry(
    long Sequence, DateTimeOffset At, Actor By, string Action, string Kind, string ObjectId, string? Before, string? After, string Hash);

/// <summary>The append-only, hash-chained record of every change: a row that was altered or removed breaks the chain after it.</summary>
public sealed class AuditLog(IOutboxStore store)
{
    /// <summary>Adds a row inside the caller's transaction.</summary>
    public static void Append(
        DbConnection connection, Actor by, DateTimeOffset now, string action, string kind, string objectId, string? before, string? after) =>
        throw new NotSupportedException();

    /// <summary>Newest first.</summary>
    public ValueTask<Page<AuditEntry>> ListAsync(int offset, int limit, CancellationToken cancel) => throw new NotSupportedException($"{store}");

    /// <summary>Checks the whole chain; null when it holds, else the first sequence that does not.</summary>
    public ValueTask<long?> FirstBrokenAsync(CancellationToken cancel) => throw new NotSupportedException();
}
