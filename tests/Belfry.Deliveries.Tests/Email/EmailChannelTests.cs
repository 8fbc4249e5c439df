using System.Text;
using Belfry.Deliveries.Tests.Support;

namespace Belfry.Deliveries.Tests.Email;

public sealed class EmailChannelTests : IAsyncLifetime
{
    private readonly SmtpSink _sink = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _sink.DisposeAsync();

    [Fact]
    public async Task A_mail_arrives_with_text_html_and_a_message_id_of_its_key()
    {
        var outcome = await SendAsync(Content() with { Headers = new Dictionary<string, string> { ["In-Reply-To"] = "<a@b>" } });
        var mail = _sink.Mails.ShouldHaveSingleItem();
        var id = $"<{EmailComposer.NameOf("key-1")}@belfry.example>";
        outcome.ShouldBe(new SendOutcome.Sent(id));
        mail.Header("Message-ID").ShouldBe(id);
        mail.Header("From").ShouldContain("belfry@belfry.example");
        mail.Header("To").ShouldContain("bob@example.org");
        mail.Header("Subject").ShouldBe("Disk full");
        mail.Header("In-Reply-To").ShouldBe("<a@b>");
        mail.Header("Content-Type").ShouldStartWith("multipart/alternative");
        mail.Text.ShouldContain("text/plain");
        mail.Text.ShouldContain("text/html");
        mail.Recipients.ShouldHaveSingleItem().ShouldContain("<bob@example.org>");
    }

    [Fact]
    public async Task A_subject_of_any_language_is_encoded()
    {
        await SendAsync(Content() with { Subject = "Диск 満杯 é" });
        var subject = _sink.Mails.ShouldHaveSingleItem().Header("Subject");
        subject.ShouldStartWith("=?utf-8?");
        subject.All(char.IsAscii).ShouldBeTrue();
    }

    [Theory]
    [InlineData("450 busy", typeof(SendOutcome.Transient))]
    [InlineData("451 later", typeof(SendOutcome.Transient))]
    [InlineData("550 no such user", typeof(SendOutcome.Permanent))]
    [InlineData("553 bad name", typeof(SendOutcome.Permanent))]
    public async Task A_refused_recipient_is_transient_or_permanent_by_its_code(string reply, Type outcome)
    {
        _sink.RecipientReply = reply;
        (await SendAsync(Content())).ShouldBeOfType(outcome);
        _sink.Mails.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("452 full", typeof(SendOutcome.Transient))]
    [InlineData("554 spam", typeof(SendOutcome.Permanent))]
    public async Task A_refused_mail_is_transient_or_permanent_by_its_code(string reply, Type outcome)
    {
        _sink.DataReply = reply;
        (await SendAsync(Content())).ShouldBeOfType(outcome);
    }

    [Fact]
    public async Task A_server_that_is_closing_is_transient()
    {
        _sink.Greeting = "421 going down";
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Transient>();
    }

    [Theory]
    [InlineData("554 no mail service here")]
    [InlineData("554 5.7.1 your host is blocked")]
    [InlineData("521 no mail service here")]
    public async Task A_server_that_greets_nobody_is_transient(string greeting)
    {
        _sink.Greeting = greeting;
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Transient>()
            .Reason.ShouldStartWith($"smtp:127.0.0.1:{_sink.Port} answered {greeting[..3]}");
    }

    [Fact]
    public async Task A_mail_that_needs_a_log_in_arrives()
    {
        _sink.LogIn = ("belfry", "pässword");
        (await SendAsync(Content(), logIn: ("belfry", "pässword"))).ShouldBeOfType<SendOutcome.Sent>();
        _sink.Mails.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("454 4.7.0 not now", "MAIL", "530 5.7.0 Authentication required")]
    [InlineData("535 5.7.8 bad credentials", "MAIL", "530 5.7.0 Authentication required")]
    [InlineData("535 5.7.8 bad credentials", "MAIL", "535 5.7.8 log in first")]
    [InlineData("534 5.7.9 too weak", "MAIL", "534 5.7.9 too weak")]
    [InlineData("538 5.7.11 not without TLS", "MAIL", "538 5.7.11 not without TLS")]
    [InlineData("454 4.7.0 not now", "MAIL", "553 5.7.1 <belfry@belfry.example>: not logged in as its owner")]
    [InlineData("454 4.7.0 not now", "RCPT", "530 5.7.0 Authentication required")]
    [InlineData("454 4.7.0 not now", "RCPT", "554 5.7.1 <bob@example.org>: Relay access denied")]
    [InlineData("454 4.7.0 not now", "RCPT", "550 5.7.1 Relaying denied")]
    [InlineData("454 4.7.0 not now", "RCPT", "550 relay not permitted")]
    public async Task A_log_in_that_is_refused_is_transient_and_named(string logInReply, string verb, string strangerReply)
    {
        (_sink.LogIn, _sink.LogInReply, _sink.StrangerReply) = (("belfry", "new"), logInReply, (verb, strangerReply));
        var reason = (await SendAsync(Content(), logIn: ("belfry", "old"))).ShouldBeOfType<SendOutcome.Transient>().Reason;
        reason.ShouldStartWith($"smtp:127.0.0.1:{_sink.Port} answered {strangerReply[..3]}, the log-in ");
        reason.ShouldContain("refused");
        reason.ShouldContain(strangerReply[4..]);
        _sink.Mails.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_log_in_that_is_asked_for_and_not_configured_is_transient_and_named()
    {
        _sink.LogIn = ("belfry", "new");
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Transient>().Reason.ShouldContain("no log-in is configured");
    }

    [Theory]
    [InlineData("550 5.1.1 no such user at 10.5.7.3")]
    [InlineData("550 5.1.1 <bob@relay.example.org>: no such user")]
    [InlineData("550 5.7.1 you may not write to this list")]
    [InlineData("553 5.1.3 bad name")]
    public async Task What_is_said_of_the_recipient_is_permanent_with_a_log_in_too(string reply)
    {
        (_sink.LogIn, _sink.RecipientReply) = (("belfry", "new"), reply);
        (await SendAsync(Content(), logIn: ("belfry", "new"))).ShouldBeOfType<SendOutcome.Permanent>();
    }

    [Theory]
    [InlineData("550 5.7.1 looks like spam")]
    [InlineData("554 5.7.1 looks like spam")]
    public async Task What_is_said_of_the_mail_itself_is_permanent_with_a_log_in_too(string reply)
    {
        (_sink.LogIn, _sink.DataReply) = (("belfry", "new"), reply);
        (await SendAsync(Content(), logIn: ("belfry", "new"))).ShouldBeOfType<SendOutcome.Permanent>();
    }

    [Fact]
    public async Task A_security_status_of_a_recipient_is_permanent_where_no_log_in_can_be_the_reason()
    {
        _sink.RecipientReply = "550 5.7.1 not from you";
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Permanent>();
    }

    [Fact]
    public async Task A_mail_that_was_taken_is_sent_where_the_server_hangs_up_by_itself()
    {
        _sink.DataReply = "250 taken\r\n421 closing";
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Sent>();
        _sink.Mails.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_connection_dropped_after_the_data_is_unknown()
    {
        _sink.DropsAfterData = true;
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Unknown>();
        (await SendAsync(Content() with { Text = "", Html = null })).ShouldBeOfType<SendOutcome.Unknown>();
        _sink.Mails.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_server_silent_after_the_data_is_unknown_at_the_timeout()
    {
        _sink.HangsAfterData = true;
        var outcome = await SendAsync(Content(), TimeSpan.FromMilliseconds(500));
        // The timeout is that of the whole conversation: on a slow machine it may be over before the data are out.
        if (outcome is SendOutcome.Transient) outcome = await SendAsync(Content(), TimeSpan.FromSeconds(10));
        outcome.ShouldBeOfType<SendOutcome.Unknown>();
    }

    [Theory]
    [InlineData("EHLO")]
    [InlineData("MAIL")]
    [InlineData("RCPT")]
    [InlineData("DATA")]
    public async Task A_connection_dropped_before_the_data_is_transient(string verb)
    {
        _sink.DropsAt = verb;
        (await SendAsync(Content())).ShouldBeOfType<SendOutcome.Transient>();
        (await SendAsync(Content() with { Text = "", Html = null })).ShouldBeOfType<SendOutcome.Transient>();
        _sink.Mails.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("EHLO")]
    [InlineData("DATA")]
    public async Task A_server_silent_before_the_data_is_transient_at_the_timeout(string verb)
    {
        _sink.HangsAt = verb;
        (await SendAsync(Content(), TimeSpan.FromMilliseconds(500))).ShouldBeOfType<SendOutcome.Transient>();
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_transient()
    {
        var port = _sink.Port;
        await _sink.DisposeAsync();
        (await SendAsync(Content(), port: port)).ShouldBeOfType<SendOutcome.Transient>();
    }

    [Fact]
    public async Task No_mail_goes_out_without_TLS_where_it_is_asked_for()
    {
        var channel = new EmailChannel(new EmailOptions { From = "b@x.example", Host = "127.0.0.1", Port = _sink.Port });
        (await channel.SendAsync(Sample.Delivery("key-1", Content().Encode()), 1, default)).ShouldNotBeOfType<SendOutcome.Sent>();
        _sink.Mails.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("\r\nBcc: eve@example.org")]
    [InlineData("\nBcc: eve@example.org")]
    [InlineData("\rBcc: eve@example.org")]
    [InlineData("\0\r\n\r\nBcc: eve@example.org")]
    [InlineData("\u001b[31m\u0085\u2028\u2029Bcc: eve@example.org")]
    public async Task No_text_begins_a_header_of_its_own(string injected)
    {
        await SendAsync(Content() with { Subject = $"Disk{injected}", Text = $"body{injected}", Html = $"<p>{injected}</p>" });
        var mail = _sink.Mails.ShouldHaveSingleItem();
        mail.Headers.ShouldNotContain(h => h.StartsWith("Bcc", StringComparison.OrdinalIgnoreCase));
        mail.Headers.Count(h => h.StartsWith("Subject:", StringComparison.Ordinal)).ShouldBe(1);
        mail.Recipients.Count.ShouldBe(1);

        (await SendAsync(Content() with { To = $"bob@example.org{injected}" })).ShouldBeOfType<SendOutcome.Permanent>();
        (await SendAsync(WithHeader("X-Team", $"ops{injected}"))).ShouldBeOfType<SendOutcome.Permanent>();
        (await SendAsync(WithHeader($"X-Team{injected}", "ops"))).ShouldBeOfType<SendOutcome.Permanent>();
        _sink.Mails.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("Bcc")]
    [InlineData("from")]
    [InlineData("Message-ID")]
    [InlineData("Content-Type")]
    [InlineData("X Team")]
    [InlineData("")]
    public async Task A_header_that_is_the_channels_own_is_refused(string name) =>
        (await SendAsync(WithHeader(name, "x@example.org"))).ShouldBeOfType<SendOutcome.Permanent>();

    [Theory]
    [InlineData("")]
    [InlineData("bob")]
    [InlineData("a@example.org, b@example.org")]
    public async Task What_is_not_one_address_is_permanent(string to) =>
        (await SendAsync(Content() with { To = to })).ShouldBeOfType<SendOutcome.Permanent>();

    [Fact]
    public void Content_survives_its_encoding()
    {
        var content = WithHeader("X-A", "é");
        var decoded = EmailContent.Decode(content.Encode());
        decoded.Headers["X-A"].ShouldBe("é");
        (decoded with { Headers = content.Headers }).ShouldBe(content);
        Should.Throw<FormatException>(() => EmailContent.Decode(Encoding.UTF8.GetBytes("{\"to\":1}")));
    }

    [Fact]
    public async Task A_pickup_file_appears_whole_and_a_repeat_replaces_it()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-mail-").FullName;
        try
        {
            var channel = new PickupFolderChannel(folder, "Belfry <belfry@belfry.example>");
            for (var i = 1; i <= 2; i++)
            {
                var delivery = Sample.Delivery("key-1", (Content() with { Subject = $"Disk {i}" }).Encode());
                (await channel.SendAsync(delivery, i, default)).ShouldBeOfType<SendOutcome.Sent>();
            }

            var file = Directory.GetFileSystemEntries(folder).ShouldHaveSingleItem();
            Path.GetFileName(file).ShouldBe($"{EmailComposer.NameOf("key-1")}.eml");
            (await File.ReadAllTextAsync(file)).ShouldContain("Subject: Disk 2");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static EmailContent Content() => new()
    {
        To = "Bob <bob@example.org>", Subject = "Disk full", Text = "The disk of db-1 is full.",
        Html = "<p>The disk of <b>db-1</b> is full.</p>",
    };

    private static EmailContent WithHeader(string name, string value) => Content() with
    {
        Headers = new Dictionary<string, string> { [name] = value },
    };

    private async Task<SendOutcome> SendAsync(
        EmailContent content, TimeSpan? timeout = null, int? port = null, (string User, string Password)? logIn = null)
    {
        var channel = new EmailChannel(new EmailOptions
        {
            From = "Belfry <belfry@belfry.example>",
            Host = "127.0.0.1",
            Port = port ?? _sink.Port,
            UseTls = false,
            User = logIn?.User,
            Password = logIn?.Password,
            Timeout = timeout ?? TimeSpan.FromSeconds(20),
        });
        return await channel.SendAsync(Sample.Delivery("key-1", content.Encode()), 1, default);
    }
}
