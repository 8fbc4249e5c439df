using System.Text;
using System.Text.Json;
using Belfry.Alerting.Dispatch;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Tests.Planning;
using Belfry.Alerting.Timeline;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Testing;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Dispatch;

public sealed class DispatchTests
{
    private const string OneId = "01900000000070008000000000000001";
    private static readonly Uri Base = new("https://belfry.example.org/");
    private readonly Topics _topics = new(partitions: 1);
    private readonly MemoryLog _log = new();
    private readonly ManualTime _time = new(Start);

    [Fact]
    public void A_notification_is_a_delivery_of_its_own_channel_only()
    {
        Decoder("email").Decode(Record())!.Recipient.ShouldBe("ada@example.org");
        Decoder("webhook").Decode(Record()).ShouldBeNull();
    }

    [Fact]
    public void A_deliverys_day_comes_from_the_notifications_id()
    {
        var late = RenderingTests.Notification();
        Decoder("email").Decode(Record(late))!.Day.ShouldBe(new DateOnly(2026, 3, 4));
    }

    [Fact]
    public void The_same_record_gives_the_same_delivery()
    {
        var (first, second) = (Decoder("email").Decode(Record())!, Decoder("email").Decode(Record())!);
        second.IdempotencyKey.ShouldBe(first.IdempotencyKey);
        second.Content.ToArray().ShouldBe(first.Content.ToArray());
        first.IdempotencyKey.Length.ShouldBeLessThanOrEqualTo(200);
    }

    [Fact]
    public void The_audit_channel_takes_every_notification_under_a_key_of_its_own_and_masks_addresses()
    {
        var audit = Decoder("audit").Decode(Record())!;
        audit.IdempotencyKey.ShouldNotBe(Decoder("email").Decode(Record())!.IdempotencyKey);
        var text = Encoding.UTF8.GetString(audit.Content.Span);
        text.ShouldNotContain("ada@example.org");
        JsonDocument.Parse(audit.Content).RootElement.GetProperty("address").GetString().ShouldBe("a…@example.org");

        var hook = RenderingTests.Notification() with { Channel = "webhook", Address = "https://hooks.example.org/T0/secret" };
        Encoding.UTF8.GetString(Decoder("audit").Decode(Record(hook))!.Content.Span).ShouldNotContain("secret");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("\"x\"")]
    public void A_record_that_is_no_notification_is_a_format_fault(string json) =>
        Should.Throw<FormatException>(() => Decoder("email").Decode(Record(Encoding.UTF8.GetBytes(json))));

    [Fact]
    public void A_key_says_all_that_is_asked_of_it_later()
    {
        var key = DeliveryKey.Of(RenderingTests.Notification(), "email");
        DeliveryKey.TryParse(key.ToString(), out var read).ShouldBeTrue();
        read.ShouldBe(key);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b.c.d.e.f")]
    [InlineData($"{OneId}.{OneId}.{OneId}.{OneId}.-1.email")]
    [InlineData($"{OneId}.{OneId}.{OneId}.{OneId}.1.")]
    public void What_is_no_key_is_not_read_as_one(string text) => DeliveryKey.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public async Task Whether_a_delivery_is_still_wanted_is_asked_of_its_incident_user_and_epoch()
    {
        List<(IncidentId, UserId, long)> asked = [];
        var reporter = Reporter((incident, user, epoch) =>
        {
            asked.Add((incident, user, epoch));
            return "acknowledged";
        });
        (await reporter.StillWantedAsync(Decoder("email").Decode(Record())!, default)).ShouldBe("acknowledged");
        asked.ShouldBe([(Fire, Ada, 1L)]);
        (await reporter.StillWantedAsync(Decoder("audit").Decode(Record())!, default)).ShouldBeNull();
        asked.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(DeliveryState.Sent, "notify", "sent", "Notified by email, attempt 2.")]
    [InlineData(
        DeliveryState.Retry, "notify", "retry",
        "Delayed: attempt 2 by email failed (451 busy); the next one is at 2026-03-04 12:00:09 UTC.")]
    [InlineData(DeliveryState.Unknown, "notify", "unknown", "It is unknown whether attempt 2 by email arrived: 451 busy.")]
    [InlineData(DeliveryState.Dead, "notify", "dead", "Not notified by email after 2 attempts, given up: 451 busy.")]
    [InlineData(DeliveryState.Skipped, "skipped", "skipped", "Not notified by email: 451 busy.")]
    public async Task Every_attempt_and_end_is_told_to_the_timeline(DeliveryState state, string type, string name, string summary)
    {
        await Reporter().ReportAsync(Report(state), default);
        var record = _log.Of(_topics.IncidentLog.Name).ShouldHaveSingleItem();
        record.Key.ShouldBe(Fire.ToString());
        var entry = TimelineJson.Decode(record, out _)!;
        (entry.IncidentId, entry.ServiceId, entry.Type, entry.Channel, entry.Summary, entry.At).ShouldBe(
            (Fire, Billing, type, "email", summary, Start));
        var details = entry.Details!.Value;
        details.GetProperty("state").GetString().ShouldBe(name);
        details.GetProperty("attempt").GetInt32().ShouldBe(2);
        details.GetProperty("user_id").GetString().ShouldBe(Ada.ToString());
    }

    [Fact]
    public async Task A_report_that_is_repeated_has_the_same_id_and_another_attempt_another()
    {
        await Reporter().ReportAsync(Report(DeliveryState.Retry), default);
        _time.Advance(TimeSpan.FromMinutes(1));
        await Reporter().ReportAsync(Report(DeliveryState.Retry), default);
        await Reporter().ReportAsync(Report(DeliveryState.Retry) with { Attempt = 3 }, default);
        var ids = _log.Of(_topics.IncidentLog.Name).Select(record => TimelineJson.Decode(record, out _)!.Id).ToList();
        ids[1].ShouldBe(ids[0]);
        ids[2].ShouldNotBe(ids[0]);
    }

    [Fact]
    public async Task A_providers_words_cannot_break_a_line_of_the_timeline()
    {
        await Reporter().ReportAsync(Report(DeliveryState.Dead) with { Reason = "550 no\r\n\u001b[31mforged entry" }, default);
        TimelineJson.Decode(_log.Of(_topics.IncidentLog.Name)[0], out _)!.Summary.ShouldAllBe(c => !char.IsControl(c));
    }

    [Fact]
    public async Task The_audit_channel_is_silent_until_it_gives_up()
    {
        var delivery = Decoder("audit").Decode(Record())!;
        await Reporter().ReportAsync(Report(DeliveryState.Sent) with { Delivery = delivery }, default);
        _log.Of(_topics.IncidentLog.Name).ShouldBeEmpty();
        await Reporter().ReportAsync(Report(DeliveryState.Dead) with { Delivery = delivery }, default);
        _log.Of(_topics.IncidentLog.Name).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_webhook_is_signed_with_the_secret_of_its_method_at_the_send()
    {
        var inner = new Recorder();
        var asked = new List<ContactMethodId>();
        var channel = new WebhookSigningChannel(inner, (method, _) =>
        {
            asked.Add(method);
            return ValueTask.FromResult<string?>("s3cret");
        });
        var delivery = Webhook();
        Encoding.UTF8.GetString(delivery.Content.Span).ShouldNotContain("s3cret");
        (await channel.SendAsync(delivery, 1, default)).ShouldBeOfType<SendOutcome.Sent>();
        asked.ShouldBe([Mail.Id]);
        var sent = WebhookContent.Decode(inner.Sent.ShouldHaveSingleItem().Content);
        sent.Secrets.ShouldBe(["s3cret"]);
        sent.Body.ToArray().ShouldBe(WebhookContent.Decode(delivery.Content).Body.ToArray());
    }

    [Fact]
    public async Task A_webhook_whose_method_is_gone_is_never_sent_and_one_whose_store_is_down_waits()
    {
        var inner = new Recorder();
        (await new WebhookSigningChannel(inner, (_, _) => ValueTask.FromResult<string?>(null)).SendAsync(Webhook(), 1, default))
            .ShouldBeOfType<SendOutcome.Permanent>();
        (await new WebhookSigningChannel(inner, (_, _) => throw new StoreUnavailableException("down")).SendAsync(Webhook(), 1, default))
            .ShouldBeOfType<SendOutcome.Transient>();
        inner.Sent.ShouldBeEmpty();
    }

    [Fact]
    public void A_dead_letter_keeps_key_bytes_and_headers_and_says_why()
    {
        var record = Record() with { Headers = [new("traceparent", "00-1"), new("reason", "older")] };
        var dead = DeadLetters.RecordOf(_topics, record, "550 no such user", 6);
        dead.Topic.ShouldBe(_topics.NotificationsDeadLetters.Name);
        dead.OrderingKey.ShouldBe(Ada.ToString());
        dead.Value.ToArray().ShouldBe(record.Value.ToArray());
        dead.Headers.ShouldBe(
            [new("traceparent", "00-1"), new("reason", "550 no such user"), new("attempts", "6"), new("source", "notifications/0@7")]);
    }

    private static NotificationDecoder Decoder(string channel) =>
        new(channel, new MailRenderer(Base, new AcknowledgeLinks(new byte[32])), new WebhookRenderer(Base));

    private DeliveryReporter Reporter(Func<IncidentId, UserId, long, string?>? whyNot = null) =>
        new(_log, _topics, (incident, user, epoch, _) => ValueTask.FromResult(whyNot?.Invoke(incident, user, epoch)), _time);

    private static DeliveryEvent Report(DeliveryState state) => new(
        Decoder("email").Decode(Record())!, state, 2, "451 busy", null, state == DeliveryState.Retry ? Start.AddSeconds(9) : null);

    private static Delivery Webhook() => Decoder("webhook").Decode(Record(
        RenderingTests.Notification() with { Channel = "webhook", Address = "https://hooks.example.org/x" }))!;

    private static LogRecord Record(Notification? notification = null) =>
        Record(PlanningWire.Encode(notification ?? RenderingTests.Notification()));

    private static LogRecord Record(byte[] value) => new()
    {
        Source = new TopicPartition("notifications", 0), Offset = 7, AppendedAt = Start, Key = Ada.ToString(), Value = value,
    };

    private sealed class Recorder : IDeliveryChannel
    {
        public List<Delivery> Sent { get; } = [];
        public string Name => "webhook";
        public UnknownOutcomePolicy WhenUnknown => UnknownOutcomePolicy.ResendWithKey;

        public string EndpointOf(Delivery delivery) => "e";

        public ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
        {
            Sent.Add(delivery);
            return ValueTask.FromResult<SendOutcome>(new SendOutcome.Sent("id-1"));
        }
    }
}
