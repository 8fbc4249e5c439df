using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Belfry.Postgres.Tests;

/// <summary>
/// A PostgreSQL server of this test run: initdb and pg_ctl in a temporary folder, on a free loopback port and a socket in the folder, begun
/// with the first test that asks and stopped with the process. It runs under a shell that reads from us: when we are gone, however that
/// came, the shell stops it and removes the folder. <c>fsync=off</c>: what is killed here are processes, never the machine, and what a
/// process has written the kernel keeps; a commit still waits for its record in the write-ahead log (<c>synchronous_commit=on</c>).
/// <c>BELFRY_TEST_POSTGRES</c>, a connection string, is used instead when it is set.
/// </summary>
internal sealed class PostgresServer
{
    public const string Variable = "BELFRY_TEST_POSTGRES";
    private const string Ready = "belfry: ready";

    private static readonly TimeSpan ReadyMax = TimeSpan.FromMinutes(2);
    private static readonly Lazy<Task<PostgresServer>> Started = new(() => Task.Run(StartAsync));

    private readonly string _folder = "";
    private readonly string _binaries = "";
    private readonly Process? _shell;

    private PostgresServer(string connectionString) => ConnectionString = connectionString;

    private PostgresServer(string folder, string binaries, int port, Process shell)
        : this($"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres") =>
        (_folder, _binaries, _shell) = (folder, binaries, shell);

    public string ConnectionString { get; }

    /// <summary>Ours to kill; not one that was given.</summary>
    public bool IsOwn => _shell is not null;

    /// <summary>Missing: the test skips with the way to install it, and fails when CI=true.</summary>
    public static Task<PostgresServer> GetAsync() => Started.Value;

    /// <summary>A new database; its connection string.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"belfry_{Guid.NewGuid():N}";
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand($"create database {name}", connection);
        await create.ExecuteNonQueryAsync();
        return new NpgsqlConnectionStringBuilder(ConnectionString) { Database = name }.ToString();
    }

    /// <summary>As a crash of the machine would: all backends at once, then recovery from the write-ahead log.</summary>
    public async Task RestartAsync()
    {
        NeedOwn($"A server given by {Variable} is not restarted");
        await RunAsync([Path.Combine(_binaries, "pg_ctl"), "-D", Path.Combine(_folder, "data"), "-m", "immediate", "-w", "restart"]);
        await WaitUntilReadyAsync();
    }

    /// <summary>Kills one backend; the server then ends all the others, recovers and goes on.</summary>
    public async Task KillBackendAsync(int pid)
    {
        NeedOwn($"Backends of a server given by {Variable} are not killed");
        await RunAsync(["kill", "-9", $"{pid}"]);
    }

    /// <summary>SIGSTOP to all of it: connections stay open and are made, and nothing is answered, until <see cref="ThawAsync"/>.</summary>
    public Task FreezeAsync() => SignalAllAsync("STOP");

    public Task ThawAsync() => SignalAllAsync("CONT");

    private async Task SignalAllAsync(string signal)
    {
        Skip.IfNot(IsOwn, $"A server given by {Variable} is not frozen.");
        var pid = Path.Combine(_folder, "data", "postmaster.pid");
        await RunAsync(["sh", "-c", $"main=$(head -n 1 '{pid}'); kill -{signal} $main $(ps -o pid= --ppid $main)"]);
    }

    /// <summary>Asks until the server takes connections again.</summary>
    public async Task WaitUntilReadyAsync()
    {
        var since = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString + ";Pooling=false;Timeout=5");
                await connection.OpenAsync();
                return;
            }
            catch (NpgsqlException) when (since.Elapsed < ReadyMax)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>One of a test's own that is reached over TLS only, but by who is on its socket; gone with the process.</summary>
    /// <param name="certificateFile">Of the server, PEM, with those of the authorities between.</param>
    /// <param name="keyFile">Its key, PEM.</param>
    public static Task<PostgresServer> StartOverTlsAsync(string certificateFile, string keyFile) =>
        LaunchAsync((File.ReadAllText(certificateFile), File.ReadAllText(keyFile)));

    private static async Task<PostgresServer> StartAsync() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given ? new PostgresServer(given) : await LaunchAsync(null);

    private static async Task<PostgresServer> LaunchAsync((string Certificate, string Key)? tls)
    {
        var binaries = Binaries();
        var folder = Directory.CreateTempSubdirectory("belfry-postgres-").FullName;
        if (tls is var (certificate, key))
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "tls.pem"), certificate);
            await File.WriteAllTextAsync(Path.Combine(folder, "tls.key"), key);
            await RunAsRootAsync(["chmod", "600", Path.Combine(folder, "tls.key")]);
        }

        if (Environment.UserName == "root") await RunAsRootAsync(["chown", "-R", "postgres", folder]);
        var port = FreePort();
        var (encrypted, noneElse) = tls is null ? ("", "true") : (
            $"-c ssl=on -c ssl_cert_file={folder}/tls.pem -c ssl_key_file={folder}/tls.key",
            $"sed -i 's/^host /hostssl /' '{folder}/data/pg_hba.conf'");
        var shell = Process.Start(new ProcessStartInfo(AsPostgres()[0], [.. AsPostgres()[1..], "sh", "-c", $$"""
            # Whole paths: a restart starts it from another folder with the same words.
            cd '{{folder}}' || exit 1
            options='-c fsync=off -c full_page_writes=off -c synchronous_commit=on -c shared_buffers=64MB -c max_connections=200'
            options="$options -c listen_addresses=127.0.0.1 -c port={{port}} -c unix_socket_directories={{folder}} {{encrypted}}"
            '{{binaries}}/initdb' -D '{{folder}}/data' -A trust -N --locale=C -E UTF8 -U postgres >log 2>&1 && {{noneElse}} &&
            '{{binaries}}/pg_ctl' -D '{{folder}}/data' -w -t 100 -l server.log -o "$options" start >>log 2>&1 &&
            echo '{{Ready}}' && cat >/dev/null || cat log server.log
            '{{binaries}}/pg_ctl' -D '{{folder}}/data' -m immediate stop >/dev/null 2>&1
            cd / && rm -rf '{{folder}}'
            """]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        if (await shell.StandardOutput.ReadLineAsync() is var line && line != Ready)
            throw new InvalidOperationException($"PostgreSQL did not start: {line} {await shell.StandardOutput.ReadToEndAsync()}");
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            shell.StandardInput.Close();
            shell.WaitForExit(TimeSpan.FromSeconds(20));
        };
        return new PostgresServer(folder, binaries, port, shell);
    }

    /// <summary>Skips, but where nothing is to be left out in silence.</summary>
    private void NeedOwn(string reason)
    {
        if (IsOwn) return;
        if (Environment.GetEnvironmentVariable("CI") == "true")
            throw new InvalidOperationException($"{reason}, and with CI=true no test is left out: run it without {Variable}.");
        Skip.If(true, $"{reason}.");
    }

    private static string Binaries()
    {
        string?[] places =
        [
            .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'),
            .. Directory.Exists("/usr/lib/postgresql")
                ? Directory.GetDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(d => $"{d}/bin")
                : [],
        ];
        if (places.FirstOrDefault(place => File.Exists($"{place}/initdb") && File.Exists($"{place}/pg_ctl")) is { } found) return found;
        const string Message = "PostgreSQL's initdb and pg_ctl are missing; install them with: apt-get install postgresql";
        if (Environment.GetEnvironmentVariable("CI") == "true") throw new InvalidOperationException(Message);
        Skip.If(true, Message);
        return "";
    }

    /// <summary>The server refuses to run as root.</summary>
    private static string[] AsPostgres() => Environment.UserName == "root" ? ["runuser", "-u", "postgres", "--"] : ["env"];

    private static Task RunAsync(string[] command) => RunAsRootAsync([.. AsPostgres(), .. command]);

    private static async Task RunAsRootAsync(string[] command)
    {
        // Its output goes to the log of the server, which pg_ctl restarts: a pipe of ours would stay open as long as that runs.
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$0\" \"$@\" >/dev/null 2>&1 </dev/null", .. command])
        {
            // PostgreSQL's programs want a working directory that they may enter.
            WorkingDirectory = "/",
        })!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"'{string.Join(' ', command)}' ended with {process.ExitCode}.");
    }

    /// <summary>
    /// Below those that systems give to outgoing connections, of which one could take it before the server does, or at a restart.
    /// </summary>
    private static int FreePort()
    {
        while (true)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, Random.Shared.Next(10_000, 20_000));
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            }
            catch (SocketException)
            {
                // Taken: another one.
            }
        }
    }
}
