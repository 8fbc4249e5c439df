using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// The SQL of clean-up. What may remove a partition's newest record notes the end first, for the end is derived from that record.
/// </summary>
internal static class LogCleaning
{
    /// <summary>The newest offset of each key in a window.</summary>
    /// <param name="Newest">By key.</param>
    /// <param name="NextOffset">Where the next window starts.</param>
    public sealed record Window(IReadOnlyDictionary<string, long> Newest, long NextOffset);

    /// <summary>Removes the oldest records up to the first that must stay, at most <paramref name="max"/>; returns how many.</summary>
    public static long Expire(SqliteConnection connection, long partitionId, long end, long keepFromMs, int max)
    {
        var from = LogTables.Position(partitionId, 0);
        var statement = connection.Statement(
                "select position, appended_at from log_record where position >= ?1 and position < ?2 order by position limit ?3")
            .Bind(1, from).Bind(2, LogTables.Position(partitionId, end)).Bind(3, max);
        long? last = null;
        var count = 0;
        while (statement.Step() && statement.Int64(1) < keepFromMs)
        {
            last = statement.Int64(0);
            count++;
        }

        statement.Reset();
        if (last is null) return 0;
        NoteEnd(connection, partitionId, LogTables.Offset(last.Value) + 1);
        connection.Statement("delete from log_record where position >= ?1 and position <= ?2").Bind(1, from).Bind(2, last.Value).Run();
        return count;
    }

    public static long CompactedTo(SqliteConnection connection, long partitionId) =>
        LogTables.One(connection.Statement("select compacted_to from log_partition where id = ?1").Bind(1, partitionId)) ?? 0;

    public static long SetCompactedTo(SqliteConnection connection, long partitionId, long offset)
    {
        connection.Statement("update log_partition set compacted_to = ?2 where id = ?1").Bind(1, partitionId).Bind(2, offset).Run();
        return 0;
    }

    public static Window Newest(SqliteConnection connection, long partitionId, long from, long end, int max)
    {
        var newest = new Dictionary<string, long>(StringComparer.Ordinal);
        var next = from;
        var statement = connection.Statement(
                "select position, key from log_record where position >= ?1 and position < ?2 order by position limit ?3")
            .Bind(1, LogTables.Position(partitionId, from)).Bind(2, LogTables.Position(partitionId, end)).Bind(3, max);
        while (statement.Step())
        {
            var offset = LogTables.Offset(statement.Int64(0));
            newest[statement.Text(1) ?? ""] = offset;
            next = offset + 1;
        }

        statement.Reset();
        return new Window(newest, next);
    }

    /// <summary>Looks at up to <paramref name="max"/> records from <paramref name="from"/> on for such that may go.</summary>
    public static (List<long> Offsets, long NextOffset) Superseded(
        SqliteConnection connection, long partitionId, long from, Window window, long windowStart, long keepFromMs, int max)
    {
        var offsets = new List<long>();
        var (next, seen) = (from, 0);
        var statement = connection.Statement("""
                select position, key, appended_at, length(value) = 0 from log_record
                where position >= ?1 and position < ?2 order by position limit ?3
                """)
            .Bind(1, LogTables.Position(partitionId, from)).Bind(2, LogTables.Position(partitionId, window.NextOffset)).Bind(3, max);
        for (; statement.Step(); seen++)
        {
            var offset = LogTables.Offset(statement.Int64(0));
            var superseded = window.Newest.TryGetValue(statement.Text(1) ?? "", out var newest) && newest > offset;
            var oldTombstone = offset < windowStart && statement.Int64(3) == 1 && statement.Int64(2) < keepFromMs;
            if (superseded || oldTombstone) offsets.Add(offset);
            next = offset + 1;
        }

        statement.Reset();
        return (offsets, seen < max ? window.NextOffset : next);
    }

    public static long Remove(SqliteConnection connection, long partitionId, List<long> offsets, long end)
    {
        NoteEnd(connection, partitionId, end);
        foreach (var offset in offsets)
            connection.Statement("delete from log_record where position = ?1").Bind(1, LogTables.Position(partitionId, offset)).Run();
        return offsets.Count;
    }

    private static void NoteEnd(SqliteConnection connection, long partitionId, long end) =>
        connection.Statement("update log_partition set end_at_least = max(end_at_least, ?2) where id = ?1")
            .Bind(1, partitionId).Bind(2, end).Run();
}
