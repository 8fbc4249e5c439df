using Npgsql;

namespace Belfry.Postgres.Tests;

/// <summary>
/// A schema of one test with the stores' tables, in the one database of the run. (A database cloned from a template takes twenty times as
/// long as a schema migrated anew.) The default schema stays empty.
/// </summary>
internal sealed class TestSchema : IAsyncDisposable
{
    private static int _count;

    private TestSchema(PostgresServer server, PostgresOptions options)
    {
        Server = server;
        Options = options;
        Database = PostgresDatabase.Open(options);
    }

    public PostgresServer Server { get; }
    public PostgresOptions Options { get; }
    public PostgresDatabase Database { get; }

    private string ConnectionString => $"{Options.ConnectionString};Search Path={Options.Schema};Pooling=false";

    public static async Task<TestSchema> CreateAsync(Func<PostgresOptions, PostgresOptions>? change = null)
    {
        var server = await PostgresServer.GetAsync();
        var options = Empty(server);
        options = change is null ? options : change(options);
        await PostgresSchema.MigrateAsync(options, default);
        return new TestSchema(server, options);
    }

    /// <summary>Options with a schema that is not there yet.</summary>
    public static PostgresOptions Empty(PostgresServer server) => new()
    {
        ConnectionString = server.ConnectionString,
        Schema = $"test_{Environment.ProcessId}_{Interlocked.Increment(ref _count)}",
        ConnectionsMax = 8,

        // A machine that builds and tests at the same time stands still for seconds.
        WaitMax = TimeSpan.FromMinutes(1),
        IdleInTransactionMax = TimeSpan.FromMinutes(1),
    };

    /// <summary>Another process, as far as the server can tell: connections of its own to the same schema.</summary>
    public PostgresDatabase OpenAnother() => PostgresDatabase.Open(Options);

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async Task RunAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();

        // A server of ours goes as a whole.
        if (!Server.IsOwn) await RunAsync($"drop schema \"{Options.Schema}\" cascade");
    }
}
