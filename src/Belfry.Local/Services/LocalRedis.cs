using System.Net.Sockets;
using System.Text;

namespace Belfry.Local.Services;

/// <summary>A redis-server with a password that keeps nothing on disk: what Belfry puts there are hints.</summary>
internal sealed class LocalRedis(string folder, int port, string password, TimeProvider time) : LocalService
{
    private static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(2);
    private readonly string? _program = Programs.OnPath("redis-server");

    public override string Name => "Redis";

    public static readonly (string Section, string Address) Setting = ("Redis", "Configuration");

    public override (string Section, string Address) Key => Setting;

    public override string Address => $"127.0.0.1:{port}";

    public override IReadOnlyList<(string Key, string Value)> Settings => [("Configuration", $"{Address},password={password}")];

    public override string? Missing() =>
        _program is null ? "redis-server is missing; install it with: apt-get install redis-server" : null;

    public override async Task StartAsync(CancellationToken cancel)
    {
        if (await IsUpAsync(cancel)) return;
        Directory.CreateDirectory(folder);
        var (config, log) = (Path.Combine(folder, "redis.conf"), Path.Combine(folder, "redis.log"));
        PrivateFile.Write(config, $"""
            bind 127.0.0.1
            port {port}
            requirepass {password}
            dir "{folder}"
            logfile "{log}"
            daemonize yes
            save ""
            appendonly no
            """);
        await Command.RunAsync(log, [_program!, config], cancel);
        if (!await BecomesAsync(true, StartMax, cancel))
            throw new InvalidOperationException($"redis-server does not answer at {Address}; see '{log}'.");
    }

    public override async Task StopAsync(CancellationToken cancel)
    {
        if (!await IsUpAsync(cancel)) return;
        await AskAsync("SHUTDOWN NOSAVE", cancel);
        await BecomesAsync(false, StartMax, cancel);
    }

    public override async Task<bool> IsUpAsync(CancellationToken cancel) =>
        (await AskAsync("PING", cancel)).Contains("+PONG\r\n", StringComparison.Ordinal);

    private async Task<bool> BecomesAsync(bool up, TimeSpan within, CancellationToken cancel)
    {
        var since = time.GetTimestamp();
        while (await IsUpAsync(cancel) != up)
        {
            if (time.GetElapsedTime(since) > within) return false;
            await Task.Delay(LookAgain, time, cancel);
        }

        return true;
    }

    /// <summary>Its answers to signing in, the command and leaving; what there is of them when it closes or keeps silent.</summary>
    private async Task<string> AskAsync(string command, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(AnswerMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        var said = new StringBuilder();
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port, either.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"AUTH {password}\r\n{command}\r\nQUIT\r\n"), either.Token);
            var buffer = new byte[256];
            while (await stream.ReadAsync(buffer, either.Token) is > 0 and var count)
                said.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }
        catch (Exception fault) when (fault is SocketException or IOException
            || (fault is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            // Nobody there, or it has gone: the answer so far tells.
        }

        return said.ToString();
    }
}
