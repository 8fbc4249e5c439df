using Belfry.Sqlite;
using Microsoft.Data.Sqlite;

namespace Belfry.Server.Tests.Support;

/// <summary>
/// While it lasts every write to the file fails at once, for somebody else holds its write lock; what is there can be read.
/// </summary>
internal sealed class Outage : IAsyncDisposable
{
    private readonly SqliteFile _file;
    private readonly SqliteConnection _holder;

    private Outage(SqliteFile file, SqliteConnection holder) => (_file, _holder) = (file, holder);

    public static async Task<Outage> BeginAsync(SqliteFile file)
    {
        await PatienceAsync(file, 0);
        var holder = new SqliteConnection($"Data Source={file.Path};Pooling=False");
        holder.Open();
        Run(holder, "begin immediate");
        return new Outage(file, holder);
    }

    public async ValueTask DisposeAsync()
    {
        Run(_holder, "rollback");
        await _holder.DisposeAsync();
        await PatienceAsync(_file, 5_000);
    }

    private static async Task PatienceAsync(SqliteFile file, int ms) =>
        await file.WriteAsync(connection => Run(connection, $"pragma busy_timeout = {ms}"), default);

    private static int Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }
}
