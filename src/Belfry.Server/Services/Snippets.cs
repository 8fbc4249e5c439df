using System.Text.Json;
using Belfry.Alerting.Catalog;

namespace Belfry.Server.Services;

/// <summary>What a user copies into a sender's configuration.</summary>
internal static class Snippets
{
    /// <summary>
    /// A receiver for Prometheus Alertmanager. A severity from a missing or foreign label would have the page refused for ever
    /// (prometheus/alertmanager#3902), so anything unknown becomes <c>error</c>.
    /// </summary>
    public static string Alertmanager(string baseUrl, Integration integration) => $$$"""
        receivers:
        - name: belfry
          pagerduty_configs:
          - url: '{{{baseUrl}}}/v2/enqueue'
            routing_key: '{{{integration.RoutingKey}}}'
            severity: '{{{Severity}}}'
        """;

    private const string Severity =
        """{{ if eq .CommonLabels.severity "critical" "error" "warning" "info" }}{{ .CommonLabels.severity }}{{ else }}error{{ end }}""";

    /// <summary>A test event from a shell.</summary>
    public static string Curl(string baseUrl, Integration integration) => $$"""
        curl -sS {{baseUrl}}/v2/enqueue -d '{{Event(integration.RoutingKey)}}'
        """;

    private static string Event(string routingKey) =>
        $$$"""{"routing_key":{{{JsonSerializer.Serialize(routingKey, SnippetJson.Default.String)}}},"event_action":"trigger",""" +
        """
        "dedup_key":"test","payload":{"summary":"Test event","source":"curl","severity":"warning"}}
        """;
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class SnippetJson : System.Text.Json.Serialization.JsonSerializerContext;
