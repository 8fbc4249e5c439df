using System.Text.Json.Serialization;
using Belfry.Alerting.Incidents;

namespace Belfry.Alerting.People;

[JsonConverter(typeof(JsonStringEnumConverter<UserRole>))]
public enum UserRole
{
    [JsonStringEnumMemberName("observer")] Observer,
    [JsonStringEnumMemberName("responder")] Responder,
    [JsonStringEnumMemberName("manager")] Manager,
    [JsonStringEnumMemberName("admin")] Administrator,
}

/// <summary>A person. <paramref name="TimeZone"/>: an IANA id, for display.</summary>
public sealed record User(UserId Id, string Name, string Email, string TimeZone, UserRole Role);

[JsonConverter(typeof(JsonStringEnumConverter<ContactMethodType>))]
public enum ContactMethodType { [JsonStringEnumMemberName("email")] Email, [JsonStringEnumMemberName("webhook")] Webhook }

/// <summary>A way to reach a user. The webhook's signing secret is kept apart and never leaves People.</summary>
/// <param name="Id">Its id.</param>
/// <param name="UserId">Whose.</param>
/// <param name="Type">The channel.</param>
/// <param name="Label">The user's name for it.</param>
/// <param name="Address">A mail address, or an http(s) URL.</param>
/// <param name="Enabled">False: never used.</param>
public sealed record ContactMethod(ContactMethodId Id, UserId UserId, ContactMethodType Type, string Label, string Address, bool Enabled);

/// <summary>When an incident of this urgency is assigned, after the delay (minutes, 0 to 1,440), use this method.</summary>
public sealed record NotificationRule(
    NotificationRuleId Id, UserId UserId, Urgency Urgency, int StartDelayMinutes, ContactMethodId ContactMethodId);
