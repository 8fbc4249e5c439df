using System.Text;

namespace Belfry.Bench.Accept;

/// <summary>A whole request as it goes over the wire: about what a monitoring system sends.</summary>
internal static class EventBody
{
    public static byte[] Of(string routingKey, string dedupKey, string summary)
    {
        var body = $$$"""
            {"routing_key":"{{{routingKey}}}","event_action":"trigger","dedup_key":"{{{dedupKey}}}","client":"bench",
            "payload":{"summary":"{{{summary}}}","source":"db-1.example.com","severity":"critical","component":"postgres","group":"shop",
            "custom_details":{"load":"0.97","threshold":"0.90","region":"eu-central-1"} } }
            """;
        return Encoding.ASCII.GetBytes(
            $"POST /v2/enqueue HTTP/1.1\r\nHost: belfry\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }
}
