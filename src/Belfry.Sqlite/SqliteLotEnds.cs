namespace Belfry.Sqlite;

/// <summary>
/// Tells the callers of a lot how their writes ended: a few in turn by one work item of the pool. One each would cost the writer's
/// thread more than its rows do. So a caller that goes on must not block on another write of its own: that one may stand behind it here.
/// </summary>
internal sealed class SqliteLotEnds(SqliteWriteItem[] items) : IThreadPoolWorkItem
{
    // Few, for each waits for what the callers before it do until they next wait.
    private const int ItemsMax = 8;

    public static void Announce(List<SqliteWriteItem> lot)
    {
        foreach (var item in lot) item.IsAnnounced = true;
        for (var at = 0; at < lot.Count; at += ItemsMax)
        {
            var items = new SqliteWriteItem[Math.Min(ItemsMax, lot.Count - at)];
            lot.CopyTo(at, items, 0, items.Length);
            ThreadPool.UnsafeQueueUserWorkItem(new SqliteLotEnds(items), preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        foreach (var item in items) item.End();
    }
}
