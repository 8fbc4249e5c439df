using System.Globalization;
using Belfry.Rig;
using Npgsql;

namespace Belfry.Drill.Topology;

/// <summary>
/// A PostgreSQL server on loopback. <c>fsync=off</c>: what is killed are processes, never the machine, and what a process has written the
/// kernel keeps; a commit still waits for its record in the write-ahead log.
/// </summary>
internal sealed class PostgresProcess
{
    private static readonly TimeSpan ReadyMax = TimeSpan.FromSeconds(60);
    private static readonly Dictionary<string, string> Plain = [];
    private readonly string _folder;
    private readonly string _binaries;
    private readonly int _port;

    private PostgresProcess(string folder, string binaries, int port) => (_folder, _binaries, _port) = (folder, binaries, port);

    public string ConnectionString => $"Host=127.0.0.1;Port={_port};Username=postgres;Database=belfry";

    /// <exception cref="DrillSetupException">PostgreSQL is missing.</exception>
    public static async Task<PostgresProcess> StartAsync(string folder, int port)
    {
        var server = new PostgresProcess(Directory.CreateDirectory(folder).FullName, Binaries(), port);
        if (Environment.UserName == "root") await Children.RunAsync("/", Plain, "chown", "postgres", folder);
        await server.RunAsync(
            $"{server._binaries}/initdb", "-D", server.Data, "-A", "trust", "-N", "--locale=C", "-E", "UTF8", "-U", "postgres");
        await server.UpAsync();
        await using var connection = new NpgsqlConnection(
            server.ConnectionString.Replace("=belfry", "=postgres", StringComparison.Ordinal));
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand("create database belfry", connection);
        await create.ExecuteNonQueryAsync();
        return server;
    }

    /// <summary>Starts it, again after a kill; returns once it accepts connections.</summary>
    public async Task UpAsync()
    {
        var options = "-c fsync=off -c full_page_writes=off -c synchronous_commit=on -c shared_buffers=64MB -c max_connections=200 " +
            $"-c listen_addresses=127.0.0.1 -c port={_port} -c unix_socket_directories={_folder}";
        using var late = new CancellationTokenSource(ReadyMax);
        while (true)
        {
            try
            {
                // While sessions of the killed one have not ended, a new server says so in its log and ends.
                if (!IsRunning)
                    await RunAsync($"{_binaries}/pg_ctl", "-D", Data, "-W", "-l", $"{_folder}/server.log", "-o", options, "start");
                await using var connection = new NpgsqlConnection(
                    $"Host=127.0.0.1;Port={_port};Username=postgres;Database=postgres;Pooling=false;Timeout=5");
                await connection.OpenAsync(late.Token);
                return;
            }
            catch (NpgsqlException)
            {
                await Task.Delay(100, late.Token);
            }
        }
    }

    /// <summary>SIGKILL of the server; its sessions end by themselves.</summary>
    public async Task KillAsync()
    {
        UnixSignal.Send(ServerPid(), UnixSignal.Kill);
        await Task.CompletedTask;
    }

    private string Data => $"{_folder}/data";

    private bool IsRunning => File.Exists($"{Data}/postmaster.pid") && Directory.Exists($"/proc/{ServerPid()}");

    private int ServerPid() => int.Parse(File.ReadLines($"{Data}/postmaster.pid").First(), CultureInfo.InvariantCulture);

    private Task<string> RunAsync(params string[] command) =>
        Children.RunAsync("/", Plain, Environment.UserName == "root" ? ["runuser", "-u", "postgres", "--", .. command] : command);

    private static string Binaries()
    {
        string[] places =
        [
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'),
            .. Directory.Exists("/usr/lib/postgresql")
                ? Directory.GetDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(folder => $"{folder}/bin")
                : [],
        ];
        return places.FirstOrDefault(place => File.Exists($"{place}/initdb"))
            ?? throw new DrillSetupException("PostgreSQL's initdb is missing; install it with: apt-get install postgresql");
    }
}
