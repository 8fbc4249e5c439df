namespace Belfry.Alerting.Events;

/// <summary>
/// The texts of a refused event. Clients print them and people search the web for them, so they are PagerDuty's to the letter, full stop
/// and all, where PagerDuty has one; the others follow its pattern. Source: events API contract, section 4.
/// </summary>
public static class EventErrors
{
    public const string RoutingKeyLength = "Length of 'routing_key' is incorrect (should be 32 characters)";
    public const string RoutingKeyCharacters = "'routing_key' cannot contain non-alphanumeric characters.";
    public const string RoutingKeyUnknown = "Invalid routing key";
    public const string ActionInvalid = "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')";
    public const string DedupKeyLength = "Length of 'dedup_key' is incorrect (should be at most 255 characters)";
    public const string SeverityInvalid =
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')";

    /// <summary>The one error of a body that is no JSON object.</summary>
    public const string NotJson = "JSON parse error";

    internal static string Missing(string field) => field switch
    {
        "routing_key" => "'routing_key' is missing or blank",
        "event_action" => "'event_action' is missing or blank",
        "dedup_key" => "'dedup_key' is missing or blank",
        "payload.summary" => "'payload.summary' is missing or blank",
        "payload.source" => "'payload.source' is missing or blank",
        "payload.severity" => "'payload.severity' is missing or blank",
        _ => throw new ArgumentOutOfRangeException(nameof(field), field, "No field of an event."),
    };

    internal static string NoText(string field) => $"'{field}' is invalid (must be a string)";

    /// <summary>Too large a body; <paramref name="size"/> in bytes, as far as it was read or announced.</summary>
    public static string TooLarge(long size) =>
        $"Event is too large (limit is {EventParser.BodyBytesMax} bytes, size is {size} bytes)";
}
