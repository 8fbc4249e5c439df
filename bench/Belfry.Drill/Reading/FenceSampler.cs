using Belfry.Drill.Load;
using Npgsql;

namespace Belfry.Drill.Reading;

/// <summary>Notes twice a second what the store says of epochs and positions, while it answers.</summary>
internal sealed class FenceSampler(string connectionString, HistoryWriter history)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);

    private const string Sql = """
        select scope, 'epoch/' || partition_no, epoch from belfry.partition_epoch
        union all select scope, topic || '/' || partition_no, next_offset from belfry.fold_position
        union all select 'scheduler', 'epoch/' || topic || '/' || partition_no, epoch from belfry.task_owner
        union all select 'scheduler', topic || '/' || partition_no, position from belfry.task_owner
        union all select group_name, 'epoch/' || topic || '/' || partition_no, epoch from belfry.delivery_owner
        """;

    /// <summary>Until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await SampleAsync(cancel);
                await Task.Delay(Every, cancel);
            }
            catch (OperationCanceledException)
            {
                // The loop looks at the token next.
            }
            catch (NpgsqlException)
            {
                // Away, as some drills have it; the next sample says where things stand.
                await Task.Delay(Every, CancellationToken.None);
            }
        }
    }

    private async Task SampleAsync(CancellationToken cancel)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Timeout=2;Command Timeout=2");
        await connection.OpenAsync(cancel);
        await using var command = new NpgsqlCommand(Sql, connection);
        await using var rows = await command.ExecuteReaderAsync(cancel);
        // Only changes: most places stand still most of the time.
        while (await rows.ReadAsync(cancel)) Note(rows.GetString(0), rows.GetString(1), rows.GetInt64(2));
    }

    private readonly Dictionary<(string, string), long> _last = [];

    private void Note(string scope, string source, long value)
    {
        if (_last.TryGetValue((scope, source), out var former) && former == value) return;
        _last[(scope, source)] = value;
        history.Fence(scope, source, value);
    }
}
