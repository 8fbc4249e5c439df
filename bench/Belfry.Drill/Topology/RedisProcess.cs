using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Belfry.Rig;

namespace Belfry.Drill.Topology;

/// <summary>A redis-server on loopback that keeps nothing on disk.</summary>
internal sealed class RedisProcess(Children children, int port)
{
    private const string Name = "redis";
    private static readonly TimeSpan ReadyMax = TimeSpan.FromSeconds(20);
    private Process? _process;

    public string Configuration => $"127.0.0.1:{port}";

    /// <summary>Starts it, empty; returns once it answers.</summary>
    /// <exception cref="DrillSetupException">It is missing.</exception>
    public async Task UpAsync()
    {
        try
        {
            _process = Process.Start(new ProcessStartInfo("redis-server",
            [
                "--port", $"{port}", "--bind", "127.0.0.1", "--dir", children.Folder, "--save", "", "--appendonly", "no",
                "--logfile", "/dev/null",
            ]))!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new DrillSetupException("redis-server is missing; install it with: apt-get install redis-server");
        }

        children.Add(Name, _process.Id);
        using var late = new CancellationTokenSource(ReadyMax);
        while (!await AnswersAsync("PING")) await Task.Delay(20, late.Token);
    }

    public async Task FlushAsync()
    {
        if (!await AnswersAsync("FLUSHALL")) throw new InvalidOperationException("Redis did not take FLUSHALL.");
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        children.Remove(Name);
    }

    public void Freeze() => UnixSignal.Send(_process!.Id, UnixSignal.Stop);

    public void Thaw() => UnixSignal.Send(_process!.Id, UnixSignal.Continue);

    private async Task<bool> AnswersAsync(string command)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"));
            var answer = new byte[64];
            var count = await client.GetStream().ReadAsync(answer);
            return count > 0 && answer[0] == (byte)'+';
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
