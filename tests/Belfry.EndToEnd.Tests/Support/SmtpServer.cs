using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A real SMTP server (aiosmtpd) that puts each message into a Maildir.</summary>
internal sealed class SmtpServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Mail> _read = new(StringComparer.Ordinal);
    private readonly ChildProgram _child;
    private readonly string _folder;

    private SmtpServer(ChildProgram child, string folder, int port)
    {
        _child = child;
        _folder = folder;
        Port = port;
    }

    public int Port { get; }

    /// <param name="folder">Where the Maildir goes.</param>
    /// <param name="slow">It keeps a mail 200 ms before it says so: who dies meanwhile does not know.</param>
    public static async Task<SmtpServer> StartAsync(string folder, bool slow = false)
    {
        // It makes the Maildir, but only where nothing is yet.
        folder = Path.Combine(folder, "maildir");
        var port = ChildProgram.FreePort();
        var handler = slow ? "slow_mailbox.SlowMailbox" : "aiosmtpd.handlers.Mailbox";
        var child = new ChildProgram(Part.Python("aiosmtpd", "python3-aiosmtpd"),
            ["-m", "aiosmtpd", "-n", "-c", handler, "-l", $"127.0.0.1:{port}", folder],
            ("PYTHONPATH", Path.Combine(AppContext.BaseDirectory, "Support")));
        await Eventually.TrueAsync("the SMTP server", async () =>
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }, () => child.Output);
        return new SmtpServer(child, folder, port);
    }

    /// <summary>Each file is read once: who asks again and again must not take the processor from the program under test.</summary>
    public IReadOnlyList<Mail> Mails()
    {
        var inbox = Path.Combine(_folder, "new");
        if (!Directory.Exists(inbox)) return [];
        return [.. Directory.GetFiles(inbox).Select(path => _read.GetOrAdd(path, _ => Mail.Parse(File.ReadAllText(path))))];
    }

    public Task<Mail> WaitForAsync(string what, Func<Mail, bool> wanted) =>
        Eventually.GetAsync($"a mail: {what}", () => Task.FromResult(Mails().FirstOrDefault(wanted)),
            () => string.Join("; ", Mails().Select(mail => $"{mail.To}: {mail.Subject}")));

    public ValueTask DisposeAsync() => _child.DisposeAsync();
}
