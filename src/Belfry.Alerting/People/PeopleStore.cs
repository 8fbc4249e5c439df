using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Outbox;

namespace Belfry.Alerting.People;

/// <summary>What a caller says of a user. Name: 1 to 255 characters; email: unique, regardless of case; time zone: IANA id.</summary>
public sealed record UserDraft(string Name, string Email, string TimeZone, UserRole Role);

/// <summary>What a caller says of a contact method. Label: 1 to 100 characters; address by type (<see cref="ContactMethod"/>).</summary>
public sealed record ContactMethodDraft(ContactMethodType Type, string Label, string Address, bool Enabled = true);

/// <summary>What a caller says of a rule. Delay in minutes, 0 to 1,440; the method must be the same user's.</summary>
public sealed record NotificationRuleDraft(Urgency Urgency, int StartDelayMinutes, ContactMethodId ContactMethodId);

/// <summary>A contact method just made. <paramref name="Secret"/>: a webhook's signing secret, shown this once; null for other types.</summary>
public sealed record NewContactMethod(ContactMethod Method, string? Secret);

/// <summary>
/// Users, how they are reached and when. Every change is one transaction: tables, catalog version, audit row and the user's whole
/// <see cref="ContactRules"/> for planning. Methods and rules are addressed through their user: another's id is missing.
/// </summary>
public sealed class PeopleStore(IOutboxStore store, CatalogReader catalog, Topics topics, IdSource ids, SecretSource secrets)
{
    /// <summary>Also gives the user an email method and a rule at 0 minutes for each urgency.</summary>
    public ValueTask<ChangeResult<User>> CreateUserAsync(UserDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException($"{store}{catalog}{topics}{ids}{secrets}");

    public ValueTask<ChangeResult<User>> UpdateUserAsync(UserId id, UserDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>Removes the user with methods and rules. In use by schedules and escalation policies: refused.</summary>
    public ValueTask<ChangeResult<User>> DeleteUserAsync(UserId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<User?> FindUserAsync(UserId id, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>Regardless of case.</summary>
    public ValueTask<User?> FindUserByEmailAsync(string email, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<User>> ListUsersAsync(int offset, int limit, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>All methods and rules of a user; null when there is no such user.</summary>
    public ValueTask<ContactRules?> ContactRulesOfAsync(UserId id, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<ChangeResult<NewContactMethod>> AddContactMethodAsync(
        UserId user, ContactMethodDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>The type cannot change.</summary>
    public ValueTask<ChangeResult<ContactMethod>> UpdateContactMethodAsync(
        UserId user, ContactMethodId id, ContactMethodDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    /// <summary>In use by rules: refused.</summary>
    public ValueTask<ChangeResult<ContactMethod>> DeleteContactMethodAsync(
        UserId user, ContactMethodId id, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    /// <summary>The signing secret of a webhook, for dispatch only: it is shown to nobody after its creation. Null: none.</summary>
    public ValueTask<string?> SecretOfAsync(ContactMethodId id, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<ChangeResult<NotificationRule>> AddRuleAsync(
        UserId user, NotificationRuleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask<ChangeResult<NotificationRule>> UpdateRuleAsync(
        UserId user, NotificationRuleId id, NotificationRuleDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<ChangeResult<NotificationRule>> DeleteRuleAsync(
        UserId user, NotificationRuleId id, Actor by, DateTimeOffset now, CancellationToken cancel) => throw new NotSupportedException();
}
