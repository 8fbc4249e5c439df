using System.Text;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;

namespace Belfry.Alerting.Tests.Events;

internal static class EventSamples
{
    public const string Key = "0123456789abcdef0123456789ABCDEF";
    public static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    public static readonly EventId NewId = new(Guid.Parse("019400000000700080000000000000aa"));
    public static readonly ServiceId TheService = new(Guid.Parse("01940000000070008000000000000001"));
    public static readonly IntegrationId Inlet = new(Guid.Parse("01940000000070008000000000000002"));

    public static CatalogSnapshot SomeCatalog(int limit = 7_200, bool enabled = true) => new(
        1, [new Service(TheService, "Web", "", new PolicyId(Guid.Empty), UrgencyRule.AlwaysHigh, null, null)],
        [new Integration(Inlet, TheService, "API", Key, enabled, limit)], [], [], []);

    public static ParsedEvent Parse(string json, EventKind kind = EventKind.Alert, string? headerKey = null) =>
        Parse(Encoding.UTF8.GetBytes(json), kind, headerKey);

    public static ParsedEvent Parse(byte[] body, EventKind kind = EventKind.Alert, string? headerKey = null) =>
        EventParser.Parse(kind, body, headerKey, SomeCatalog(), Now, NewId);

    public static AlertEvent Accepted(string json, EventKind kind = EventKind.Alert, string? headerKey = null) =>
        Parse(json, kind, headerKey).ShouldBeOfType<ParsedEvent.Accepted>().Event;

    public static IReadOnlyList<string> Errors(string json, EventKind kind = EventKind.Alert) =>
        Parse(json, kind).ShouldBeOfType<ParsedEvent.Invalid>().Errors;

    /// <summary>A good trigger; <paramref name="payload"/> and <paramref name="top"/> come after and so replace fields.</summary>
    public static string Trigger(string payload = "", string top = "") => $$"""
        {"routing_key":"{{Key}}","event_action":"trigger",
         "payload":{"summary":"Disk full","source":"db1","severity":"critical"{{Comma(payload)}}}{{Comma(top)}}}
        """;

    private static string Comma(string more) => more.Length > 0 ? "," + more : "";
}
