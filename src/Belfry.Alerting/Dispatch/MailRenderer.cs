using System.Globalization;
using System.Net;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Deliveries;

namespace Belfry.Alerting.Dispatch;

/// <summary>
/// The mail of a notification: the same bytes each time, so that a repeat is the same mail. The text part says all that the HTML says.
/// Nothing a sender wrote can begin a header, a line or a tag.
/// </summary>
internal sealed class MailRenderer(Uri baseUrl, AcknowledgeLinks links)
{
    private const int SubjectMax = 200;
    private const int TitleMax = 1_024;
    private const int NameMax = 255;

    public EmailContent Render(Notification notification)
    {
        var title = PlainText.OneLine(notification.Title, TitleMax);
        var service = PlainText.OneLine(notification.ServiceName, NameMax);
        var urgency = notification.Urgency == Urgency.High ? "high" : "low";
        var incident = new Uri(baseUrl, $"incidents/{notification.IncidentId}").AbsoluteUri;
        var token = links.Sign(
            notification.IncidentId, notification.ServiceId, notification.Epoch, notification.UserId, notification.CreatedAt);
        var acknowledge = new Uri(baseUrl, $"ack/{token}").AbsoluteUri;
        (string Name, string Value)[] facts =
        [
            ("Service", service),
            ("Urgency", urgency),
            ("Escalation level", notification.Level.ToString(CultureInfo.InvariantCulture)),
            ("Notified at", notification.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture)),
        ];
        return new EmailContent
        {
            To = notification.Address,
            Subject = PlainText.OneLine($"[{urgency.ToUpperInvariant()}] {service}: {title}", SubjectMax),
            Text = TextOf(title, facts, acknowledge, incident),
            Html = HtmlOf(title, facts, acknowledge, incident),
            Headers = HeadersOf(notification, urgency),
        };
    }

    private static string TextOf(string title, (string Name, string Value)[] facts, string acknowledge, string incident) =>
        string.Join("\r\n",
        [
            title,
            "",
            .. facts.Select(fact => $"{fact.Name}: {fact.Value}"),
            "",
            $"Acknowledge: {acknowledge}",
            $"Incident:    {incident}",
            "",
            "You get this mail because the incident is assigned to you. The acknowledge link is yours alone and works for 7 days.",
            "",
        ]);

    private static string HtmlOf(string title, (string Name, string Value)[] facts, string acknowledge, string incident)
    {
        var rows = string.Concat(facts.Select(fact =>
            $"<tr><td style=\"padding:2px 16px 2px 0;color:#555\">{Encode(fact.Name)}</td><td>{Encode(fact.Value)}</td></tr>"));
        return $"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>{Encode(title)}</title></head>
            <body style="font-family:sans-serif;color:#111;background:#fff">
            <h1 style="font-size:18px">{Encode(title)}</h1>
            <table>{rows}</table>
            <p><a href="{Encode(acknowledge)}"
               style="display:inline-block;padding:10px 18px;background:#0a5;color:#fff;text-decoration:none">Acknowledge</a></p>
            <p><a href="{Encode(incident)}">Open the incident</a></p>
            <p style="color:#555;font-size:12px">You get this mail because the incident is assigned to you.
               The acknowledge link is yours alone and works for 7 days.</p>
            </body></html>
            """;
    }

    // Mail of one incident makes one thread; lists and rules can be built on the rest. Auto-Submitted is set by the channel.
    private Dictionary<string, string> HeadersOf(Notification notification, string urgency)
    {
        var thread = $"<incident.{notification.IncidentId}@{baseUrl.IdnHost}>";
        return new()
        {
            ["References"] = thread,
            ["In-Reply-To"] = thread,
            ["List-Id"] = $"Belfry incidents <incidents.{baseUrl.IdnHost}>",
            ["List-Unsubscribe"] = $"<{new Uri(baseUrl, "profile").AbsoluteUri}>",
            ["X-Auto-Response-Suppress"] = "All",
            ["X-Belfry-Incident"] = notification.IncidentId.ToString(),
            ["X-Belfry-Service"] = notification.ServiceId.ToString(),
            ["X-Belfry-Urgency"] = urgency,
        };
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
