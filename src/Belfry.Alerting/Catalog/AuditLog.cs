using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Belfry.Alerting.Storage;
using Belfry.Outbox;
using Dapper;

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
    private const int CheckedAtOnce = 1_000;
    private const string Columns =
        "sequence, at, actor_id, actor_name, actor_address, action, kind, object_id, before_json, after_json, hash";

    /// <summary>Adds a row inside the caller's transaction; rows are added one transaction after another.</summary>
    public static void Append(
        DbConnection connection, Actor by, DateTimeOffset now, string action, string kind, string objectId, string? before, string? after)
    {
        var (sequence, previous) = connection.QuerySingle<(long, string)>(
            "update audit_head set sequence = sequence + 1 where id = 1 returning sequence, hash");
        var row = new Row
        {
            Sequence = sequence, At = now.ToUnixTimeMilliseconds(), ActorId = by.UserId?.ToString(), ActorName = by.Name,
            ActorAddress = by.Address, Action = action, Kind = kind, ObjectId = SqlDialect.Storable(objectId), BeforeJson = before,
            AfterJson = after,
        };
        row.Hash = HashOf(previous, row);
        connection.Execute($"""
            insert into audit_entry ({Columns}) values (@Sequence, @At, @ActorId, @ActorName, @ActorAddress, @Action, @Kind, @ObjectId,
                @BeforeJson, @AfterJson, @Hash)
            """, row);
        connection.Execute("update audit_head set hash = @Hash where id = 1", new { row.Hash });
    }

    /// <summary>Newest first.</summary>
    public ValueTask<Page<AuditEntry>> ListAsync(int offset, int limit, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        return store.ReadAsync(connection =>
        {
            var total = connection.ExecuteScalar<long>("select count(*) from audit_entry");
            var rows = connection.Query<Row>(
                $"select {Selected} from audit_entry order by sequence desc limit @limit offset @offset", new { offset, limit });
            return ValueTask.FromResult(new Page<AuditEntry>([.. rows.Select(row => row.ToEntry())], total));
        }, cancel);
    }

    /// <summary>Checks the whole chain; null when it holds, else the first sequence that does not.</summary>
    public async ValueTask<long?> FirstBrokenAsync(CancellationToken cancel)
    {
        var (sequence, hash) = (0L, "");
        while (true)
        {
            var rows = await store.ReadAsync(connection => ValueTask.FromResult(connection.Query<Row>(
                $"select {Selected} from audit_entry where sequence > @sequence order by sequence limit {CheckedAtOnce}",
                new { sequence }).ToList()), cancel);
            foreach (var row in rows)
            {
                if (row.Sequence != sequence + 1 || row.Hash != HashOf(hash, row)) return sequence + 1;
                (sequence, hash) = (row.Sequence, row.Hash);
            }

            if (rows.Count == CheckedAtOnce) continue;
            var head = await store.ReadAsync(connection => ValueTask.FromResult(
                connection.QuerySingle<(long Sequence, string Hash)>("select sequence, hash from audit_head where id = 1")), cancel);

            // Rows added between the two reads are not yet checked; a head behind or beside the last row was cut or altered.
            return head.Sequence < sequence || (head.Sequence == sequence && head.Hash != hash) ? sequence
                : head.Sequence > sequence && await MissingAsync(sequence + 1, cancel) ? sequence + 1 : null;
        }
    }

    private ValueTask<bool> MissingAsync(long sequence, CancellationToken cancel) => store.ReadAsync(connection => ValueTask.FromResult(
        connection.ExecuteScalar<long>("select count(*) from audit_entry where sequence = @sequence", new { sequence }) == 0), cancel);

    // Lengths go before the texts, so that no two rows have the same bytes.
    private static string HashOf(string previous, Row row)
    {
        var text = new StringBuilder(previous);
        foreach (var field in (string?[])
            [
                row.Sequence.ToString(CultureInfo.InvariantCulture), row.At.ToString(CultureInfo.InvariantCulture), row.ActorId,
                row.ActorName,
                row.ActorAddress, row.Action, row.Kind, row.ObjectId, row.BeforeJson, row.AfterJson,
            ])
            text.Append('|').Append(field?.Length ?? -1).Append(':').Append(field);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private const string Selected = """
        sequence as Sequence, at as At, actor_id as ActorId, actor_name as ActorName, actor_address as ActorAddress, action as Action,
        kind as Kind, object_id as ObjectId, before_json as BeforeJson, after_json as AfterJson, hash as Hash
        """;

    private sealed class Row
    {
        public long Sequence { get; init; }
        public long At { get; init; }
        public string? ActorId { get; init; }
        public string ActorName { get; init; } = "";
        public string? ActorAddress { get; init; }
        public string Action { get; init; } = "";
        public string Kind { get; init; } = "";
        public string ObjectId { get; init; } = "";
        public string? BeforeJson { get; init; }
        public string? AfterJson { get; init; }
        public string Hash { get; set; } = "";

        public AuditEntry ToEntry() => new(
            Sequence, DateTimeOffset.FromUnixTimeMilliseconds(At),
            new Actor(Id.TryParse<UserId>(ActorId, out var user) ? user : null, ActorName, ActorAddress),
            Action, Kind, ObjectId, BeforeJson, AfterJson, Hash);
    }
}
