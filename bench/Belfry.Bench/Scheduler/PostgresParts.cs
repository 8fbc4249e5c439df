using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Belfry.Bench.Scheduler;

/// <summary>
/// A PostgreSQL of this bench, durable as shipped (fsync, synchronous_commit and full_page_writes on), in a temporary folder. The shell it
/// runs under reads from us, and stops it and removes the folder when we are gone.
/// </summary>
internal sealed class PostgresParts : IAsyncDisposable
{
    private const string Ready = "ready";
    private readonly Process _shell;

    private PostgresParts(Process shell, int port) =>
        (_shell, ConnectionString) = (shell, $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres");

    public string ConnectionString { get; }

    public static async Task<PostgresParts> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-bench-postgres-").FullName;
        var isRoot = Environment.UserName == "root";
        if (isRoot)
        {
            using var own = Process.Start("chown", ["postgres", folder]);
            await own.WaitForExitAsync();
        }

        var port = FreePort();
        string[] before = isRoot ? ["runuser", "-u", "postgres", "--"] : ["env"];
        var shell = Process.Start(new ProcessStartInfo(before[0], [.. before[1..], "sh", "-c", $$"""
            cd '{{folder}}' || exit 1
            for b in /usr/lib/postgresql/*/bin; do PATH="$b:$PATH"; done
            options='-c shared_buffers=512MB -c max_wal_size=4GB -c max_connections=100 -c shared_preload_libraries=pg_stat_statements'
            options="$options -c listen_addresses=127.0.0.1 -c port={{port}} -c unix_socket_directories={{folder}}"
            initdb -D data -A trust --locale=C -E UTF8 -U postgres >log 2>&1 &&
            pg_ctl -D data -w -t 100 -l server.log -o "$options" start >>log 2>&1 &&
            echo '{{Ready}}' && cat >/dev/null || cat log server.log
            pg_ctl -D data -m immediate stop >/dev/null 2>&1
            cd / && rm -rf '{{folder}}'
            """]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        if (await shell.StandardOutput.ReadLineAsync() is var line && line != Ready)
            throw new InvalidOperationException($"PostgreSQL did not start: {line} {await shell.StandardOutput.ReadToEndAsync()}");
        var parts = new PostgresParts(shell, port);
        await parts.RunAsync("create extension pg_stat_statements");
        return parts;
    }

    public async Task RunAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Statements run, and writes of the scheduler, each a transaction and a commit, since the start.</summary>
    public async Task<(long Statements, long Commits)> CountersAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            """
            select coalesce(sum(calls), 0)::bigint, coalesce(sum(calls) filter (where query ilike 'update task_owner%'), 0)::bigint
            from pg_stat_statements
            """,
            connection);
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        return (row.GetInt64(0), row.GetInt64(1));
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
