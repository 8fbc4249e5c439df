using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Belfry.Deliveries.Tests.Support;

/// <summary>A mail server on loopback that speaks plain SMTP (RFC 5321) and keeps what it takes.</summary>
internal sealed class SmtpSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;
    private readonly Lock _lock = new();
    private readonly List<SmtpMail> _mails = [];

    public SmtpSink()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;
    public string Greeting { get; set; } = "220 sink ready";

    /// <summary>User and password that are let in; null: no log-in is offered.</summary>
    public (string User, string Password)? LogIn { get; set; }

    /// <summary>To whoever logs in with another password.</summary>
    public string LogInReply { get; set; } = "535 5.7.8 bad credentials";

    /// <summary>To this verb of whoever is not logged in where a log-in is offered; null: that does not matter.</summary>
    public (string Verb, string Reply)? StrangerReply { get; set; } = ("MAIL", "530 5.7.0 log in first");

    public string RecipientReply { get; set; } = "250 ok";
    public string DataReply { get; set; } = "250 taken";

    /// <summary>Closes without a word when this verb comes; null: never.</summary>
    public string? DropsAt { get; set; }

    /// <summary>Never answers this verb; null: answers all.</summary>
    public string? HangsAt { get; set; }

    /// <summary>Takes the mail, then closes without a word.</summary>
    public bool DropsAfterData { get; set; }

    /// <summary>Takes the mail, then never answers.</summary>
    public bool HangsAfterData { get; set; }

    public IReadOnlyList<SmtpMail> Mails
    {
        get
        {
            lock (_lock) return [.. _mails];
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await _serving;
        _listener.Stop();
    }

    private async Task ServeAsync()
    {
        List<Task> clients = [];
        try
        {
            while (true) clients.Add(TalkAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.Latin1);
                await SayAsync(stream, Greeting);
                var recipients = new List<string>();
                var isStranger = LogIn is not null;
                while (await reader.ReadLineAsync(_stop.Token) is { } line)
                {
                    var verb = line.Split(' ', ':')[0].ToUpperInvariant();
                    if (verb == DropsAt) return;
                    if (verb == HangsAt) await Task.Delay(Timeout.Infinite, _stop.Token);
                    if (verb == "AUTH")
                    {
                        isStranger = !await LetsInAsync(stream, reader, line);
                        continue;
                    }

                    if (isStranger && StrangerReply is { } to && verb == to.Verb)
                    {
                        await SayAsync(stream, to.Reply);
                        continue;
                    }

                    if (verb == "RCPT") recipients.Add(line);
                    if (verb == "DATA")
                    {
                        await SayAsync(stream, "354 go on");
                        var mail = new SmtpMail([.. recipients], await ReadDataAsync(reader));
                        lock (_lock) _mails.Add(mail);
                        if (DropsAfterData) return;
                        if (HangsAfterData) await Task.Delay(Timeout.Infinite, _stop.Token);
                        await SayAsync(stream, DataReply);
                        continue;
                    }

                    await SayAsync(stream, verb switch
                    {
                        "EHLO" when LogIn is not null => "250-sink\r\n250 AUTH LOGIN",
                        "RCPT" => RecipientReply,
                        "QUIT" => "221 bye",
                        _ => "250 ok",
                    });
                }
            }
            catch (Exception gone) when (gone is IOException or OperationCanceledException or SocketException)
            {
                // The client left, or the test is over: nothing is owed to either.
            }
        }
    }

    /// <summary>The method that is called LOGIN: the user in the command itself, the password when it is asked for.</summary>
    private async Task<bool> LetsInAsync(NetworkStream stream, StreamReader reader, string line)
    {
        await SayAsync(stream, "334 UGFzc3dvcmQ6");
        var given = (Plain(line.Split(' ')[^1]), Plain(await reader.ReadLineAsync(_stop.Token) ?? ""));
        await SayAsync(stream, given == LogIn ? "235 welcome" : LogInReply);
        return given == LogIn;

        static string Plain(string text) => Encoding.UTF8.GetString(Convert.FromBase64String(text));
    }

    private async Task<string> ReadDataAsync(StreamReader reader)
    {
        var text = new StringBuilder();
        while (await reader.ReadLineAsync(_stop.Token) is { } line && line != ".")
            text.Append(line.StartsWith('.') ? line[1..] : line).Append('\n');
        return text.ToString();
    }

    private async Task SayAsync(NetworkStream stream, string line) =>
        await stream.WriteAsync(Encoding.Latin1.GetBytes(line + "\r\n"), _stop.Token);
}

internal sealed record SmtpMail(IReadOnlyList<string> Recipients, string Text)
{
    /// <summary>The header block, unfolded.</summary>
    public string[] Headers => Text.Split("\n\n", 2)[0].Replace("\n ", " ").Replace("\n\t", " ").Split('\n');

    public string Header(string name) =>
        Headers.Single(h => h.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))[(name.Length + 1)..].Trim();
}
