using System.Globalization;

namespace Belfry.Kafka;

/// <summary>
/// What to look at when a connection ended, for a broker that refuses one mostly just hangs up. Texts and states are those of librdkafka
/// 2.15.1; where others come there is no hint.
/// </summary>
internal static class ConnectionHints
{
    // A connection that lived longer has ended for another reason than a refusal. Source: rd_kafka_broker_set_error.
    private const int RefusalMsMax = 2_000;

    /// <summary>To go behind what was said; empty where there is none.</summary>
    /// <param name="said">By the client, or by what a stream threw.</param>
    /// <param name="tls">Who speaks TLS already need not be told to; what is said does not tell, for connections to coordinators.</param>
    /// <param name="signsIn">Nor who signs in already.</param>
    public static string For(string said, bool tls, bool signsIn) => Find(said, tls, signsIn) is { } hint ? $": {hint}" : "";

    private static string? Find(string said, bool tls, bool signsIn)
    {
        if (Says("certificate verify failed"))
            return "the broker's certificate must be signed by an authority that is trusted here, and for the name that the broker goes by";
        if (Says(" alert ")) return "the broker may want a certificate of this client, or another one";
        if (Says("not valid in current SASL state")) return "nobody signs in at this port";
        if (!Says("Disconnected")) return null;
        if (Says("in state SSL_HANDSHAKE")) return "this port may not speak TLS";
        if (!tls && Says("in state APIVERSION_QUERY")) return "this port may want TLS";
        return !signsIn && EndedAtOnce(said) ? "the broker may want a sign-in" : null;

        bool Says(string words) => said.Contains(words, StringComparison.Ordinal);
    }

    /// <summary>Reads <c>(after 12ms in state UP</c>.</summary>
    private static bool EndedAtOnce(string said)
    {
        const string Before = "(after ";
        var begin = said.LastIndexOf(Before, StringComparison.Ordinal) + Before.Length;
        var end = said.IndexOf("ms in state UP", begin < Before.Length ? said.Length : begin, StringComparison.Ordinal);
        return end > begin && int.TryParse(said.AsSpan(begin, end - begin), CultureInfo.InvariantCulture, out var ms) && ms < RefusalMsMax;
    }
}
