using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Storage;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.People;

/// <summary>What a caller says of a user. Name: 1 to 255 characters; email: unique, regardless of case; time zone: IANA id.</summary>
public sealed record UserDraft(string Name, string Email, string TimeZone, UserRole Role);

/// <summary>
/// Users, how they are reached and when. Every change is one transaction: tables, catalog version, audit row and the user's whole
/// <see cref="ContactRules"/> for planning. Methods and rules are addressed through their user: another's id is missing. Safe for
/// use by several threads.
/// </summary>
public sealed partial class PeopleStore(
    IOutboxStore store, CatalogReader catalog, Topics topics, IdSource ids, SecretSource secrets, SecretBox box)
{
    private readonly ConfigurationWriter _writer = new(store, catalog);

    /// <summary>Also gives the user an email method and a rule at 0 minutes for each urgency.</summary>
    public ValueTask<ChangeResult<User>> CreateUserAsync(UserDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var id = ids.Next<UserId>();
        var method = new ContactMethod(ids.Next<ContactMethodId>(), id, ContactMethodType.Email, "Email", draft.Email ?? "", Enabled: true);
        NotificationRule[] rules =
        [
            new(ids.Next<NotificationRuleId>(), id, Urgency.High, 0, method.Id),
            new(ids.Next<NotificationRuleId>(), id, Urgency.Low, 0, method.Id),
        ];
        return _writer.ChangeAsync(by, now, change =>
        {
            var result = SaveUser(change, id, former: null, draft);
            if (result is not ChangeResult<User>.Done) return result;
            SaveMethod(change, former: null, method);
            foreach (var rule in rules) SaveRule(change, former: null, rule);
            PublishContactRules(change, id);
            return result;
        }, cancel);
    }

    /// <summary>The last administrator keeps the role: somebody must be there to be told when nobody is on call.</summary>
    public ValueTask<ChangeResult<User>> UpdateUserAsync(
        UserId id, UserDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync(by, now, change => PeopleTables.Users.Find(change.Connection, id.ToString()) is { } former
            ? SaveUser(change, id, former, draft)
            : MissingUser<User>(id), cancel);

    /// <summary>
    /// Removes the user with methods and rules. In use by schedules or escalation policies, or the last administrator: refused.
    /// </summary>
    public ValueTask<ChangeResult<User>> DeleteUserAsync(UserId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<User>(by, now, change =>
        {
            if (PeopleTables.Users.Find(change.Connection, id.ToString()) is not { } user) return MissingUser<User>(id);
            if (change.ReferrersOf(ObjectKinds.User, id.ToString()) is { Count: > 0 } referrers)
                return new ChangeResult<User>.InUse(ObjectKinds.Describe(ObjectKinds.User, user.Name), referrers);
            if (IsLastAdministrator(change, user)) return new ChangeResult<User>.Invalid([LastAdministrator(user)]);
            foreach (var rule in PeopleTables.Rules.AllWhere(change.Connection, "user_id", id.ToString())) RemoveRule(change, rule);
            foreach (var method in PeopleTables.Methods.AllWhere(change.Connection, "user_id", id.ToString())) RemoveMethod(change, method);
            PeopleTables.Users.Delete(change.Connection, id.ToString());
            change.Deleted(ObjectKinds.User, id.ToString(), PeopleTables.Users.Text(user));
            change.Publish(ContactRulesRecord(id, ReadOnlyMemory<byte>.Empty));
            return new ChangeResult<User>.Done(user);
        }, cancel);

    public ValueTask<User?> FindUserAsync(UserId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(PeopleTables.Users.Find(connection, id.ToString())), cancel);

    /// <summary>Regardless of case.</summary>
    public ValueTask<User?> FindUserByEmailAsync(string email, CancellationToken cancel) =>
        store.ReadAsync(
            connection => ValueTask.FromResult(PeopleTables.Users.FirstWhere(connection, "email_key", EmailKey(email))), cancel);

    /// <summary>By name, then id.</summary>
    public ValueTask<Page<User>> ListUsersAsync(int offset, int limit, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(PeopleTables.Users.Page(connection, offset, limit)), cancel);

    /// <summary>All methods and rules of a user; null when there is no such user.</summary>
    public ValueTask<ContactRules?> ContactRulesOfAsync(UserId id, CancellationToken cancel) =>
        store.ReadAsync(connection => ValueTask.FromResult(
            PeopleTables.Users.Find(connection, id.ToString()) is null ? null : ReadContactRules(connection, id)), cancel);

    private static ChangeResult<User> SaveUser(ConfigurationChange change, UserId id, User? former, UserDraft draft)
    {
        var faults = new FaultList();
        faults.Name("Name", draft.Name, 255);
        faults.Email("Email", draft.Email);
        faults.TimeZone("Time zone", draft.TimeZone);
        faults.Unless(Enum.IsDefined(draft.Role), $"Role {(int)draft.Role} is unknown.");
        if (draft.Email is not null
            && PeopleTables.Users.FirstWhere(change.Connection, "email_key", EmailKey(draft.Email)) is { } other && other.Id != id)
            faults.Add($"Email {FaultList.Shown(draft.Email)} belongs to user '{other.Name}' already.");
        if (former is not null && draft.Role != UserRole.Administrator && IsLastAdministrator(change, former))
            faults.Add(LastAdministrator(former));
        if (faults.Any) return new ChangeResult<User>.Invalid(faults.Faults);

        var user = new User(id, draft.Name.Trim(), draft.Email!, draft.TimeZone, draft.Role);
        PeopleTables.Users.Save(change.Connection, id.ToString(), user, user.Name, EmailKey(user.Email), user.Role.ToString());
        change.Saved(
            ObjectKinds.User, id.ToString(), user.Name, [], former is null ? null : PeopleTables.Users.Text(former),
            PeopleTables.Users.Text(user));
        return new ChangeResult<User>.Done(user);
    }

    private static bool IsLastAdministrator(ConfigurationChange change, User user) =>
        user.Role == UserRole.Administrator && change.Connection.ExecuteScalar<long>(
            "select count(*) from app_user where role = @role", new { role = nameof(UserRole.Administrator) }) == 1;

    private static string LastAdministrator(User user) =>
        $"User '{user.Name}' is the last administrator; make another user administrator first.";

    private static string EmailKey(string email) => SqlDialect.Storable(email.ToLowerInvariant());

    private static ContactRules ReadContactRules(System.Data.Common.DbConnection connection, UserId user) => new()
    {
        UserId = user,
        Methods = PeopleTables.Methods.AllWhere(connection, "user_id", user.ToString()),
        Rules = PeopleTables.Rules.AllWhere(connection, "user_id", user.ToString()),
    };

    private void PublishContactRules(ConfigurationChange change, UserId user) => change.Publish(ContactRulesRecord(
        user, PlanningWire.Encode(ReadContactRules(change.Connection, user))));

    private OutgoingRecord ContactRulesRecord(UserId user, ReadOnlyMemory<byte> value) =>
        new() { Topic = topics.PlanningContactRules.Name, OrderingKey = user.ToString(), Value = value };

    private static ChangeResult<T>.Missing MissingUser<T>(UserId id) => new($"user {id}");
}
