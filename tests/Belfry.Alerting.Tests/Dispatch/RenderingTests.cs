using System.Net;
using System.Text;
using System.Text.Json;
using Belfry.Alerting.Dispatch;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Planning;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Dispatch;

public sealed class RenderingTests
{
    private static readonly AcknowledgeLinks Links = new(new byte[32]);
    private static readonly Uri Base = new("https://belfry.example.org/ops/");
    private readonly MailRenderer _mails = new(Base, Links);
    private readonly WebhookRenderer _webhooks = new(Base);

    public static TheoryData<string> Hostile =>
    [
        "disk\r\nBcc: eve@example.org",
        "disk\nSubject: other",
        "disk\0full",
        "\u001b[31mred\u001b[0m\u001b]0;title\a",
        "<script>alert(1)</script>",
        "\" onmouseover=\"alert(1)",
        "<a href='javascript:alert(1)'>x</a>",
        "</title></head><img src=x onerror=alert(1)>",
        "&lt;b&gt; &amp;",
        "\u2028line\u2029paragraph\u0085next",
        "txt.\u202Efdp",
        "\ud800 half a pair",
        "{{7*7}} ${x} %0d%0aBcc:",
        "=?utf-8?q?=0ABcc:eve?=",
        new string('x', 5_000),
        "",
    ];

    [Fact]
    public void A_mail_says_what_happened_and_how_to_act()
    {
        var mail = _mails.Render(Notification());
        mail.To.ShouldBe("ada@example.org");
        mail.Subject.ShouldBe("[HIGH] Billing: Disk full");
        mail.Text.ShouldBe($"""
            Disk full

            Service: Billing
            Urgency: high
            Escalation level: 1
            Notified at: 2026-03-04 12:00:00 UTC

            Acknowledge: {AckUrl()}
            Incident:    https://belfry.example.org/ops/incidents/{Fire}

            You get this mail because the incident is assigned to you. The acknowledge link is yours alone and works for 7 days.

            """.ReplaceLineEndings("\r\n"));
    }

    [Fact]
    public void The_acknowledge_link_of_a_mail_verifies()
    {
        var token = AckUrl().Split('/')[^1];
        var ticket = Links.Verify(token, Start.AddDays(6)).ShouldBeOfType<LinkCheck.Valid>().Ticket;
        (ticket.IncidentId, ticket.ServiceId, ticket.UserId, ticket.Epoch).ShouldBe((Fire, Billing, Ada, 1L));
    }

    [Fact]
    public void The_html_part_has_both_links()
    {
        var html = _mails.Render(Notification()).Html!;
        html.ShouldContain($"href=\"{AckUrl()}\"");
        html.ShouldContain($"href=\"https://belfry.example.org/ops/incidents/{Fire}\"");
    }

    [Fact]
    public void Mails_of_one_incident_make_one_thread_and_a_list()
    {
        var headers = _mails.Render(Notification()).Headers;
        headers["References"].ShouldBe($"<incident.{Fire}@belfry.example.org>");
        headers["List-Id"].ShouldBe("Belfry incidents <incidents.belfry.example.org>");
        headers["List-Unsubscribe"].ShouldBe("<https://belfry.example.org/ops/profile>");
    }

    [Fact]
    public void The_same_notification_is_the_same_mail_and_the_same_webhook()
    {
        _mails.Render(Notification()).Encode().ToArray().ShouldBe(_mails.Render(Notification()).Encode().ToArray());
        _webhooks.Render(Notification()).Encode().ToArray().ShouldBe(_webhooks.Render(Notification()).Encode().ToArray());
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Nothing_a_sender_wrote_begins_a_line_or_a_header(string text)
    {
        var plain = _mails.Render(Notification());
        var mail = _mails.Render(Notification() with { Title = text, ServiceName = text });
        mail.Subject.ShouldAllBe(c => !char.IsControl(c) && c != '\u2028' && c != '\u2029' && c != '\u202E');
        mail.Subject.Length.ShouldBeLessThanOrEqualTo(200);
        mail.Text.Split("\r\n").Length.ShouldBe(plain.Text.Split("\r\n").Length);
        mail.Text.Replace("\r\n", "", StringComparison.Ordinal).ShouldAllBe(c => !char.IsControl(c));
        mail.Headers.ShouldBe(plain.Headers);
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Nothing_a_sender_wrote_begins_a_tag_or_leaves_an_attribute(string text)
    {
        var plain = _mails.Render(Notification()).Html!;
        var html = _mails.Render(Notification() with { Title = text, ServiceName = text }).Html!;
        html.Count(c => c == '<').ShouldBe(plain.Count(c => c == '<'));
        html.Count(c => c == '"').ShouldBe(plain.Count(c => c == '"'));
        html.ShouldContain($"<h1 style=\"font-size:18px\">{WebUtility.HtmlEncode(PlainText.OneLine(text, 1_024))}</h1>");
    }

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_webhooks_body_is_json_whatever_a_sender_wrote(string text)
    {
        var content = _webhooks.Render(Notification() with { Title = text });
        using var body = JsonDocument.Parse(content.Body);
        var title = body.RootElement.GetProperty("event").GetProperty("data").GetProperty("title").GetString()!;
        title.ShouldBe(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
        content.Body.Length.ShouldBeLessThan(55_000);
    }

    [Fact]
    public void A_webhook_is_pagerdutys_envelope_with_the_notifications_id()
    {
        var content = _webhooks.Render(Notification() with { Channel = "webhook", Address = "https://hooks.example.org/x" });
        content.Url.ShouldBe("https://hooks.example.org/x");
        content.Secrets.ShouldBeEmpty();
        using var body = JsonDocument.Parse(content.Body);
        var said = body.RootElement.GetProperty("event");
        said.GetProperty("id").GetString().ShouldBe(Notification().Id.ToString());
        said.GetProperty("event_type").GetString().ShouldBe("incident.triggered");
        said.GetProperty("resource_type").GetString().ShouldBe("incident");
        said.GetProperty("occurred_at").GetDateTimeOffset().ShouldBe(Start);
        said.GetProperty("agent").ValueKind.ShouldBe(JsonValueKind.Null);
        var data = said.GetProperty("data");
        data.GetProperty("id").GetString().ShouldBe(Fire.ToString());
        data.GetProperty("html_url").GetString().ShouldBe($"https://belfry.example.org/ops/incidents/{Fire}");
        data.GetProperty("service").GetProperty("summary").GetString().ShouldBe("Billing");
        data.GetProperty("urgency").GetString().ShouldBe("high");
    }

    [Fact]
    public void A_cut_never_splits_a_character()
    {
        var line = PlainText.OneLine(string.Concat(Enumerable.Repeat("😀", 50)), 10);
        line.ShouldBe("😀😀😀😀…");
        PlainText.OneLine("short", 10).ShouldBe("short");
    }

    internal static Notification Notification()
    {
        var scene = new Planning.PlanningScene();
        scene.Rules(Contact([Mail], Rule(1, Mail)));
        return Planning.EffectPicks.Notifications(scene.Assign()).Single();
    }

    private string AckUrl() =>
        _mails.Render(Notification()).Text.Split("\r\n").Single(
            line => line.StartsWith("Acknowledge: ", StringComparison.Ordinal))["Acknowledge: ".Length..];
}
