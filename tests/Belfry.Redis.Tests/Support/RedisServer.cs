using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Belfry.Redis.Tests;

/// <summary>A redis-server on a free port of this machine, in a folder of its own, keeping nothing on disk.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly string? Program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/bin")
        .Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("belfry-redis-");
    private readonly string[] _settings;
    private Process? _process;
    private ConnectionMultiplexer? _admin;

    private RedisServer(string[] settings) => _settings = settings;

    /// <summary>What <c>BELFRY_TEST_REDIS</c> says, or null.</summary>
    public static string? Given { get; } = Environment.GetEnvironmentVariable("BELFRY_TEST_REDIS") is { Length: > 0 } given ? given : null;

    /// <summary>How to get what is missing, or null.</summary>
    public static string? Missing { get; } =
        Program is null ? "redis-server is missing; install it with: apt-get install redis-server" : null;

    public int Port { get; private init; }

    public string Configuration => $"127.0.0.1:{Port}";

    public static Task<RedisServer> StartAsync(params string[] settings) => StartAsync(FreePort(), settings);

    public static async Task<RedisServer> StartAsync(int port, params string[] settings)
    {
        if (Missing is { } missing) throw new InvalidOperationException(missing);
        var server = new RedisServer(settings) { Port = port };
        try
        {
            await server.StartAgainAsync();
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }

        return server;
    }

    /// <summary>A port that nobody listens on.</summary>
    public static int FreePort()
    {
        while (true)
        {
            try
            {
                // Not one of those that systems give to outgoing connections, of which one could take it before a server does.
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

    /// <summary>On the port it had, empty.</summary>
    public async Task StartAgainAsync()
    {
        string[] all =
        [
            "--port", $"{Port}", "--bind", "127.0.0.1", "--dir", _folder.FullName, "--save", "", "--appendonly", "no", "--daemonize", "no",
            .. _settings,
        ];
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        List<string> said = [];
        _process = new Process { StartInfo = new ProcessStartInfo(Program!, all) { RedirectStandardOutput = true } };
        _process.OutputDataReceived += (_, line) =>
        {
            lock (said) said.Add(line.Data ?? "");
            if (line.Data is null) ready.TrySetException(new InvalidOperationException($"{Program} ended: {string.Join('\n', said)}"));
            else if (line.Data.Contains("Ready to accept connections", StringComparison.Ordinal)) ready.TrySetResult();
        };
        _process.Start();
        AppDomain.CurrentDomain.ProcessExit += KillAtExit;
        _process.BeginOutputReadLine();
        await ready.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    /// <summary>As kill -9 does; returns once it is gone.</summary>
    public async Task KillAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= KillAtExit;
        if (_process is null) return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>It neither answers nor goes.</summary>
    public void Freeze() => Signal("STOP");

    public void Thaw() => Signal("CONT");

    /// <summary>A command of an administrator, over a connection of its own.</summary>
    public async Task<RedisResult> RunAsync(string command, params object[] arguments)
    {
        _admin ??= await ConnectionMultiplexer.ConnectAsync($"{Configuration},allowAdmin=true,syncTimeout=10000");
        return await _admin.GetDatabase().ExecuteAsync(command, arguments);
    }

    public async ValueTask DisposeAsync()
    {
        _admin?.Close(false);
        await KillAsync();
        _folder.Delete(recursive: true);
    }

    private void Signal(string signal)
    {
        using var shell = Process.Start("/bin/sh", ["-c", $"kill -{signal} {_process!.Id}"]);
        shell.WaitForExit();
    }

    private void KillAtExit(object? sender, EventArgs e) => _process?.Kill();
}

/// <summary>The Redis of all tests that do it no harm.</summary>
public sealed class SharedRedis : IAsyncLifetime
{
    private RedisServer? _own;

    public string Configuration => RedisServer.Given ?? _own!.Configuration;

    public async Task InitializeAsync()
    {
        if (RedisServer.Given is not null) return;
        if (RedisServer.Missing is null || Environment.GetEnvironmentVariable("CI") == "true") _own = await RedisServer.StartAsync();
    }

    public async Task DisposeAsync()
    {
        if (_own is not null) await _own.DisposeAsync();
    }
}

/// <summary>One Redis for the assembly, and one test at a time.</summary>
[CollectionDefinition(Name)]
public sealed class RedisCollection : ICollectionFixture<SharedRedis>
{
    public const string Name = "Redis";
}
