using System.Text.Json.Serialization;
using Belfry.Alerting.Catalog;

namespace Belfry.Alerting.People;

/// <summary>The document tables of people.</summary>
internal static class PeopleTables
{
    public static DocumentTable<User> Users { get; } = new("app_user", PeopleJson.Default.User, "name, id", "name", "email_key", "role");

    public static DocumentTable<ContactMethod> Methods { get; } = new("contact_method", PeopleJson.Default.ContactMethod, "id", "user_id");

    public static DocumentTable<NotificationRule> Rules { get; } = new(
        "notification_rule", PeopleJson.Default.NotificationRule, "id", "user_id");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(User))]
[JsonSerializable(typeof(ContactMethod))]
[JsonSerializable(typeof(NotificationRule))]
internal sealed partial class PeopleJson : JsonSerializerContext;
