using System.Text.Json.Nodes;
using Belfry.Alerting.People;

namespace Belfry.Server.Api;

/// <summary>Users, their contact methods and rules in PagerDuty's shape.</summary>
internal static class UserShape
{
    public static JsonObject Of(User user)
    {
        var shape = Shape.Head("user", "users", user.Id.ToString(), user.Name, "/people");
        shape["name"] = user.Name;
        shape["email"] = user.Email;
        shape["time_zone"] = user.TimeZone;
        shape["role"] = RoleText(user.Role);
        return shape;
    }

    public static JsonObject OfMethod(ContactMethod method)
    {
        var type = method.Type == ContactMethodType.Email ? "email_contact_method" : "webhook_contact_method";
        var shape = Shape.Head(type, $"users/{method.UserId}/contact_methods", method.Id.ToString(), method.Label);
        shape["label"] = method.Label;
        shape["address"] = method.Address;
        shape["enabled"] = method.Enabled;
        return shape;
    }

    /// <summary>With the signing secret, which is shown this once.</summary>
    public static JsonObject OfNewMethod(NewContactMethod made)
    {
        var shape = OfMethod(made.Method);
        if (made.Secret is not null) shape["secret"] = made.Secret;
        return shape;
    }

    public static JsonObject OfRule(NotificationRule rule)
    {
        var urgency = IncidentShape.UrgencyText(rule.Urgency);
        var shape = Shape.Head(
            "assignment_notification_rule", $"users/{rule.UserId}/notification_rules", rule.Id.ToString(),
            $"{rule.StartDelayMinutes} minutes: {urgency} urgency");
        shape["start_delay_in_minutes"] = rule.StartDelayMinutes;
        shape["urgency"] = urgency;
        shape["contact_method"] = Shape.Reference(
            "contact_method", $"users/{rule.UserId}/contact_methods", rule.ContactMethodId.ToString(), null);
        return shape;
    }

    public static string RoleText(UserRole role) => role switch
    {
        UserRole.Observer => "observer",
        UserRole.Responder => "responder",
        UserRole.Manager => "manager",
        _ => "admin",
    };
}
