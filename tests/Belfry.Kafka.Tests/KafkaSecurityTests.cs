using System.Globalization;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>
/// Encryption and identity towards a broker that demands them: of the log, whose client is native, and of the questions that the driver
/// asks by itself.
/// </summary>
public sealed class KafkaSecurityTests(SecureBroker broker) : IClassFixture<SecureBroker>
{
    private const string WrongPassword = "wr=ong,ö";
    private const string Topic = "orders";

    // For what is asked of a broker that refuses it, which ends as a timeout: on a quiet machine it has refused long before. Where it has
    // not yet, as on a busy one, the same is asked with twice the time.
    private static readonly TimeSpan PatienceFirst = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PatienceLast = TimeSpan.FromSeconds(32);

    // Of the patience: what the client counts in its own time ends up to a second later, and machines pause.
    private const int InTimeFactor = 10;

    // Each case is a client or two with threads of their own.
    private static readonly SemaphoreSlim UnderWay = new(8);

    // Where the machine has a second address by this name, the broker is not there, and the last that is told may be of it.
    private static readonly Dictionary<string, string> OneAddress = new() { ["broker.address.family"] = "v4" };

    /// <summary>How the broker lets one in, by name.</summary>
    private Dictionary<string, KafkaLogOptions> Ways => new()
    {
        ["TLS"] = To(broker.Tls, Tls),
        ["TLS both ways"] = To(broker.MutualTls, As(broker.Client)),
        ["TLS both ways, the key encrypted"] =
            To(broker.MutualTls, As(broker.ClientOfLockedKey) with { KeyPassword = SecureBroker.KeyPassword }),
        ["TLS both ways, a password for a key that has none"] =
            To(broker.MutualTls, As(broker.Client) with { KeyPassword = SecureBroker.KeyPassword }),
        ["TLS both ways, by an authority between"] = To(broker.MutualTls, As(broker.ClientByDelegate)),
        ["PLAIN over TLS"] = To(broker.SignInOverTls, By(KafkaLogin.Plain) with { User = SecureBroker.UserOfPlain }),
        ["SCRAM-SHA-256 over TLS"] = To(broker.SignInOverTls, By(KafkaLogin.ScramSha256)),
        ["SCRAM-SHA-512 over TLS"] = To(broker.SignInOverTls, By(KafkaLogin.ScramSha512)),
        ["SCRAM-SHA-256"] = To(broker.SignIn, InTheClear(By(KafkaLogin.ScramSha256))),
    };

    /// <summary>What it refuses, by name, and what the client and the driver's own connection say of it.</summary>
    private Dictionary<string, (KafkaLogOptions Options, string Client, string Own)> Refusals => new()
    {
        ["wrong password"] = (To(broker.SignInOverTls, By(KafkaLogin.ScramSha512) with { Password = WrongPassword }),
            "invalid credentials", "signing in failed: Authentication failed during authentication due to invalid credentials"),
        ["wrong password in PLAIN"] = (
            To(broker.SignInOverTls, By(KafkaLogin.Plain) with { User = SecureBroker.UserOfPlain, Password = WrongPassword }),
            "Invalid username or password", "signing in failed: Authentication failed: Invalid username or password"),
        ["unknown user"] = (To(broker.SignInOverTls, By(KafkaLogin.ScramSha256) with { User = "nobody" }),
            "invalid credentials", "signing in failed: Authentication failed during authentication due to invalid credentials"),
        ["mechanism not offered"] = (To(broker.SignIn, InTheClear(By(KafkaLogin.ScramSha512))),
            "supported mechanisms: SCRAM-SHA-256", "it does not offer SCRAM-SHA-512 but SCRAM-SHA-256"),
        ["no sign-in"] = (To(broker.SignInOverTls, Tls), "may want a sign-in", "may want a sign-in"),
        ["sign-in at a port without"] = (To(broker.Tls, By(KafkaLogin.ScramSha512)), "nobody signs in", "nobody signs in"),
        ["unknown authority"] = (To(broker.Tls, Tls with { CaFile = broker.StrangersCaFile }),
            "signed by an authority that is trusted here", "TLS failed: The remote certificate is invalid because of errors in the cert"),
        ["authority unknown to the machine"] = (To(broker.Tls, Tls with { CaFile = null }),
            "signed by an authority that is trusted here", "TLS failed: The remote certificate is invalid because of errors in the cert"),
        ["certificate for another host"] = (To(broker.Misnamed, Tls),
            "for the name that the broker goes by", "RemoteCertificateNameMismatch"),
        ["no certificate of the client"] = (To(broker.MutualTls, Tls), "may want a certificate", "may want a certificate"),
        ["a stranger's certificate"] = (To(broker.MutualTls, As(broker.Stranger)), "may want a certificate", "may want a certificate"),
        ["TLS towards a plain port"] = (To(broker.Open, Tls), "may not speak TLS", "may not speak TLS"),
        ["plain towards a TLS port"] = (To(broker.Tls, new KafkaSecurity()), "may want TLS", "may want TLS"),
        ["sign-in in the clear towards a TLS port"] = (To(broker.SignInOverTls, InTheClear(By(KafkaLogin.ScramSha256))),
            "may want TLS", "may want TLS"),
    };

    private KafkaSecurity Tls => new() { Tls = true, CaFile = broker.CaFile };

    [SkippableTheory]
    [InlineData("TLS")]
    [InlineData("TLS both ways")]
    [InlineData("TLS both ways, the key encrypted")]
    [InlineData("TLS both ways, a password for a key that has none")]
    [InlineData("TLS both ways, by an authority between")]
    [InlineData("PLAIN over TLS")]
    [InlineData("SCRAM-SHA-256 over TLS")]
    [InlineData("SCRAM-SHA-512 over TLS")]
    [InlineData("SCRAM-SHA-256")]
    public async Task Log_and_inspector_are_let_in(string way)
    {
        await broker.NeedAsync();
        await broker.SideBySideAsync(Ways.Keys, way, one => InTurnAsync(() => LetInAsync(one)));
    }

    [SkippableTheory]
    [InlineData("declare")]
    [InlineData("append")]
    [InlineData("poll")]
    [InlineData("inspect")]
    [InlineData("groups")]
    [InlineData("count")]
    public async Task Whoever_is_refused_is_told_by_whom_and_why_in_time(string call)
    {
        await broker.NeedAsync();
        await broker.SideBySideAsync(["declare", "append", "poll", "inspect", "groups", "count"], call, RefusedAsync);
    }

    [SkippableTheory]
    [InlineData("an authority that is no PEM")]
    [InlineData("an authority whose PEM is broken")]
    [InlineData("a certificate that is no PEM")]
    [InlineData("a key that is no PEM")]
    [InlineData("the key of another certificate")]
    [InlineData("a wrong password for the key")]
    [InlineData("no password for the key")]
    public async Task Files_that_cannot_be_used_are_refused_at_the_start_and_a_connection_says_so(string which)
    {
        await broker.NeedAsync();
        var locked = As(broker.ClientOfLockedKey);
        var noPem = broker.Write("no.pem", "no PEM");
        var options = To(broker.MutualTls, which switch
        {
            "an authority that is no PEM" => Tls with { CaFile = noPem },
            "an authority whose PEM is broken" => Tls with
            {
                CaFile = broker.Write("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
            },
            "a certificate that is no PEM" => As(broker.Client) with { CertificateFile = noPem },
            "a key that is no PEM" => As(broker.Client) with { KeyFile = noPem },
            "the key of another certificate" => As(broker.Client) with { KeyFile = broker.Stranger.KeyFile },
            "a wrong password for the key" => locked with { KeyPassword = WrongPassword },
            _ => locked,
        });
        var atStart = Should.Throw<ArgumentException>(() => TestLog.Open(options));
        atStart.Message.ShouldContain("KafkaLogOptions: ");
        Should.Throw<ArgumentException>(() => KafkaInspector.Open(options, NullLogger.Instance)).Message.ShouldBe(atStart.Message);
        var later = await Should.ThrowAsync<LogUnavailableException>(() => CallAsync("count", options));
        later.Message.ShouldContain($"Broker {options.BootstrapServers}: the files of the security settings cannot be used: ");
        foreach (var fault in (Exception[])[atStart, later]) ShouldKeepSecrets($"{fault}");
    }

    [SkippableFact]
    public async Task What_was_read_of_the_files_is_disposed_of_with_the_connection()
    {
        await broker.NeedAsync();
        var options = To(broker.MutualTls, As(broker.ClientByDelegate));
        var place = options.BootstrapServers.Split(':');
        var connection = await BrokerConnection.OpenAsync(
            options, place[0], int.Parse(place[1], CultureInfo.InvariantCulture), default);
        // The authority trusted, the client's own with its key, and the two of its file.
        connection.Certificates.Count.ShouldBe(4);
        connection.Certificates.ShouldAllBe(certificate => certificate.Handle != IntPtr.Zero);
        await connection.DisposeAsync();
        connection.Certificates.ShouldAllBe(certificate => certificate.Handle == IntPtr.Zero);
    }

    [SkippableFact]
    public async Task Files_that_become_unusable_make_the_log_unavailable()
    {
        await broker.NeedAsync();
        var options = Patient(
            To(broker.Tls, Tls with { CaFile = broker.Write("replaced.pem", await File.ReadAllTextAsync(broker.CaFile)) }),
            TimeSpan.FromSeconds(30));
        await using var log = TestLog.Open(options);
        using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
        broker.Write("replaced.pem", "no PEM");
        foreach (var call in (string[])["declare", "append", "poll"])
            (await Should.ThrowAsync<LogUnavailableException>(() => CallAsync(call, log), call)).Message
                .ShouldContain("refuses its settings", Case.Sensitive, call);
        (await Should.ThrowAsync<LogUnavailableException>(() => inspector.GroupsAsync(["g"], default))).Message
            .ShouldContain("refuses its settings", Case.Sensitive, "groups");
        broker.Write("replaced.pem", await File.ReadAllTextAsync(broker.CaFile));
        await log.DeclareAsync([TestLog.Topic(Topic, 1)], default);
        await log.AppendAsync([TestLog.Record(Topic, "v")], default);
        (await inspector.GroupsAsync(["g"], default)).Single().Members.ShouldBe(0);
    }

    private async Task LetInAsync(string way)
    {
        var options = Ways[way] with { RequestTimeout = TimeSpan.FromSeconds(30), AppendTimeout = TimeSpan.FromSeconds(30) };
        var topic = $"t{Guid.NewGuid():N}";
        var source = new TopicPartition(topic, 1);
        var group = new ConsumerGroup($"{topic}-group", [topic]);
        await using var log = TestLog.Open(options);
        await log.DeclareAsync([TestLog.Topic(topic, 2)], default);
        await TestLog.FillAsync(log, topic, partitions: 2, each: 1);
        (await log.ReadAsync(source, 0, 10, default)).Select(TestLog.Text).ShouldBe(["1:0"]);
        await using var member = new SpecMember(log.OpenConsumer(group));
        await TestLog.UntilAsync(() => member.Received.Count == 2, member);
        await member.Consumer.CommitAsync([new(source, 1)], default);
        (await log.CommittedAsync(group.Name, source, default)).ShouldBe(1);

        using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
        (await inspector.TopicNamesAsync(default)).ShouldContain(topic);
        (await inspector.TopicsAsync([topic], default)).Single().Partitions.ShouldBe(2);
        (await inspector.OffsetsAsync([source], default))[source].ShouldBe((0, 1));
        (await inspector.GroupNamesAsync(default)).ShouldContain(group.Name);
        var state = (await inspector.GroupsAsync([group.Name], default)).Single();
        state.Members.ShouldBe(1);
        state.Committed.ShouldBe(new Dictionary<TopicPartition, long> { [source] = 1 });
        (await inspector.ProducersAsync([topic], default)).ShouldBe(new ProducerCount(Producers: 1, Entries: 2, IsComplete: true));
    }

    private Task RefusedAsync(string call) => Task.WhenAll(Refusals.Select(refusal => InTurnAsync(async () =>
    {
        var (options, client, own) = refusal.Value;
        var reason = call == "count" ? own : client;
        var name = $"{call}, {refusal.Key}";
        for (var patience = PatienceFirst; ; patience *= 2)
        {
            var startedAt = TimeProvider.System.GetTimestamp();
            var fault = await Should.ThrowAsync<LogUnavailableException>(() => CallAsync(call, Patient(options, patience)), name);
            TimeProvider.System.GetElapsedTime(startedAt).ShouldBeLessThan(patience * InTimeFactor, name);
            ShouldKeepSecrets($"{fault}");
            ShouldKeepSecrets($"{options}");
            if (!fault.Message.Contains(reason, StringComparison.Ordinal) && patience < PatienceLast) continue;
            fault.Message.ShouldContain(reason, Case.Sensitive, name);
            fault.Message.ShouldContain(options.BootstrapServers, Case.Sensitive, name);
            return;
        }
    })));

    private static async Task InTurnAsync(Func<Task> run)
    {
        await UnderWay.WaitAsync();
        try
        {
            await run();
        }
        finally
        {
            UnderWay.Release();
        }
    }

    private static async Task CallAsync(string call, KafkaLogOptions options)
    {
        if (call is "inspect" or "groups")
        {
            using var inspector = KafkaInspector.Open(options, NullLogger.Instance);
            if (call == "inspect") await inspector.ProducersAsync([Topic], default);
            else await inspector.GroupsAsync(["g"], default);
        }
        else if (call == "count")
        {
            // What an inspector gets to once its client has told it the leaders.
            var place = options.BootstrapServers.Split(':');
            await new ProducerCensus().AskAsync(
                options, place[0], int.Parse(place[1], CultureInfo.InvariantCulture), [new TopicPartition(Topic, 0)], default);
        }
        else
        {
            await using var log = TestLog.Open(options);
            await CallAsync(call, log);
        }
    }

    /// <summary>Without a declaration before, which would be refused in its place.</summary>
    private static async Task CallAsync(string call, KafkaLog log)
    {
        if (call == "declare")
        {
            await log.DeclareAsync([TestLog.Topic(Topic, 1)], default);
        }
        else if (call == "append")
        {
            await log.Producer.AppendAsync([(new(Topic, 0), new() { Key = [1], Value = [1] })], default);
        }
        else
        {
            await using var member = new SpecMember(new KafkaLogConsumer(log, new ConsumerGroup("g", [Topic])));
            await member.PollAsync(log.Options.RequestTimeout);
        }
    }

    private static void ShouldKeepSecrets(string text)
    {
        foreach (var secret in (string[])[SecureBroker.Password, SecureBroker.KeyPassword, WrongPassword]) text.ShouldNotContain(secret);
    }

    private KafkaSecurity As((string CertificateFile, string KeyFile) client) =>
        Tls with { CertificateFile = client.CertificateFile, KeyFile = client.KeyFile };

    private KafkaSecurity By(KafkaLogin login) =>
        Tls with { Login = login, User = SecureBroker.User, Password = SecureBroker.Password };

    private static KafkaSecurity InTheClear(KafkaSecurity security) => security with { Tls = false, CaFile = null };

    private static KafkaLogOptions To(string bootstrap, KafkaSecurity security) => Patient(
        TestLog.Options(bootstrap) with { Security = security, CloseTimeout = TimeSpan.FromSeconds(1), ClientSettings = OneAddress },
        TimeSpan.FromSeconds(6));

    private static KafkaLogOptions Patient(KafkaLogOptions options, TimeSpan patience) =>
        options with { RequestTimeout = patience, AppendTimeout = patience };
}
