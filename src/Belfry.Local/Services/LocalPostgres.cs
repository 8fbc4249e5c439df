namespace Belfry.Local.Services;

/// <summary>
/// PostgreSQL by initdb and pg_ctl: over loopback with a password and no socket. It refuses to run as root, so root runs it as the user
/// postgres.
/// </summary>
internal sealed class LocalPostgres(string folder, int port, string password) : LocalService
{
    private const string User = "belfry";
    private const int ConnectionsMax = 200;

    private static readonly bool IsRoot = Environment.UserName == "root";
    private static readonly string[] AsUser = IsRoot ? ["runuser", "-u", "postgres", "--"] : [];
    private readonly string? _programs = Programs.PostgresFolder();

    public override string Name => "PostgreSQL";

    public static readonly (string Section, string Address) Setting = ("Postgres", "ConnectionString");

    public override (string Section, string Address) Key => Setting;

    public override string Address => $"127.0.0.1:{port}";

    public override IReadOnlyList<(string Key, string Value)> Settings =>
        [("ConnectionString", $"Host=127.0.0.1;Port={port};Database=postgres;Username={User};Password={password}")];

    private string Data => Path.Combine(folder, "data");
    private string Log => Path.Combine(folder, "pg_ctl.log");

    public override string? Missing() => _programs is null
        ? "PostgreSQL's initdb and pg_ctl are missing; install them with: apt-get install postgresql"
        : null;

    /// <summary>
    /// A folder that the server's user can enter: the one asked for, else, where that lies in root's home or the like, a new one in
    /// <c>/var/tmp</c>. It is there and belongs to that user afterwards.
    /// </summary>
    public static async Task<string> FolderAsync(string wanted, CancellationToken cancel)
    {
        Directory.CreateDirectory(wanted);
        if (!IsRoot) return wanted;
        await OwnAsync(wanted, cancel);
        if (await Command.StatusAsync([.. AsUser, "test", "-x", wanted], cancel) == 0) return wanted;
        var other = $"/var/tmp/belfry-postgres-{Path.GetRandomFileName()}";
        Directory.CreateDirectory(other, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await OwnAsync(other, cancel);
        return other;
    }

    public override async Task StartAsync(CancellationToken cancel)
    {
        if (await IsUpAsync(cancel)) return;
        if (!File.Exists(Path.Combine(Data, "PG_VERSION"))) await InitializeAsync(cancel);
        var options = $"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c max_connections={ConnectionsMax}";
        var log = Path.Combine(folder, "server.log");
        await RunAsync(["pg_ctl", "-D", Data, "-w", "-t", $"{StartMax.TotalSeconds:0}", "-l", log, "-o", options, "start"], cancel);
    }

    public override async Task StopAsync(CancellationToken cancel)
    {
        if (await IsUpAsync(cancel)) await RunAsync(["pg_ctl", "-D", Data, "-m", "fast", "-w", "-t", "20", "stop"], cancel);
    }

    public override async Task<bool> IsUpAsync(CancellationToken cancel) =>
        _programs is not null
        && await Command.StatusAsync([.. AsUser, Path.Combine(_programs, "pg_ctl"), "-D", Data, "status"], cancel) == 0;

    private async Task InitializeAsync(CancellationToken cancel)
    {
        // What an initdb that was cut short has left.
        if (Directory.Exists(Data)) Directory.Delete(Data, recursive: true);
        var secret = Path.Combine(folder, "password");
        PrivateFile.Write(secret, password);
        if (IsRoot) await OwnAsync(secret, cancel);
        try
        {
            string[] how = ["-U", User, "-A", "scram-sha-256", $"--pwfile={secret}", "--locale=C", "-E", "UTF8"];
            await RunAsync(["initdb", "-D", Data, .. how], cancel);
        }
        finally
        {
            File.Delete(secret);
        }
    }

    private Task RunAsync(string[] words, CancellationToken cancel) =>
        Command.RunAsync(Log, [.. AsUser, Path.Combine(_programs!, words[0]), .. words[1..]], cancel);

    private static async Task OwnAsync(string path, CancellationToken cancel)
    {
        if (await Command.StatusAsync(["chown", "postgres", path], cancel) != 0)
            throw new InvalidOperationException(
                "PostgreSQL does not run as root, and the user 'postgres' is missing; install it with: apt-get install postgresql");
    }
}
