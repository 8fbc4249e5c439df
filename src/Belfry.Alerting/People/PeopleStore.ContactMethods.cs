using Belfry.Alerting.Catalog;
using Dapper;

namespace Belfry.Alerting.People;

/// <summary>What a caller says of a contact method. Label: 1 to 100 characters; address by type (<see cref="ContactMethod"/>).</summary>
public sealed record ContactMethodDraft(ContactMethodType Type, string Label, string Address, bool Enabled = true);

/// <summary>
/// A contact method just made. <paramref name="Secret"/>: a webhook's signing secret, shown this once; null for other types.
/// </summary>
public sealed record NewContactMethod(ContactMethod Method, string? Secret);

public sealed partial class PeopleStore
{
    private const int MethodsMax = 50;
    private const int SecretBytes = 32;

    public ValueTask<ChangeResult<NewContactMethod>> AddContactMethodAsync(
        UserId user, ContactMethodDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel)
    {
        var id = ids.Next<ContactMethodId>();
        var secret = draft.Type == ContactMethodType.Webhook ? NewSecret() : null;
        return _writer.ChangeAsync<NewContactMethod>(by, now, change =>
        {
            if (PeopleTables.Users.Find(change.Connection, user.ToString()) is not { } owner) return MissingUser<NewContactMethod>(user);
            var faults = FaultsOf(draft);
            var count = PeopleTables.Methods.AllWhere(change.Connection, "user_id", user.ToString()).Count;
            faults.Unless(count < MethodsMax, $"User '{owner.Name}' has {count} of at most {MethodsMax} contact methods; delete one.");
            if (faults.Any) return new ChangeResult<NewContactMethod>.Invalid(faults.Faults);
            var method = new ContactMethod(id, user, draft.Type, draft.Label.Trim(), draft.Address, draft.Enabled);
            SaveMethod(change, former: null, method);
            if (secret is not null)
                change.Connection.Execute(
                    "insert into contact_secret (method_id, secret) values (@id, @text)",
                    new { id = id.ToString(), text = box.Seal(secret, id.ToString(), secrets) });
            PublishContactRules(change, user);
            return new ChangeResult<NewContactMethod>.Done(new NewContactMethod(method, secret));
        }, cancel);
    }

    /// <summary>The type cannot change.</summary>
    public ValueTask<ChangeResult<ContactMethod>> UpdateContactMethodAsync(
        UserId user, ContactMethodId id, ContactMethodDraft draft, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<ContactMethod>(by, now, change =>
        {
            if (FindMethod(change, user, id) is not { } former) return MissingMethod(id);
            var faults = FaultsOf(draft);
            faults.Unless(draft.Type == former.Type, $"The type of contact method '{former.Label}' cannot change; add another one.");
            if (faults.Any) return new ChangeResult<ContactMethod>.Invalid(faults.Faults);
            var method = former with { Label = draft.Label.Trim(), Address = draft.Address, Enabled = draft.Enabled };
            SaveMethod(change, former, method);
            PublishContactRules(change, user);
            return new ChangeResult<ContactMethod>.Done(method);
        }, cancel);

    /// <summary>In use by rules: refused.</summary>
    public ValueTask<ChangeResult<ContactMethod>> DeleteContactMethodAsync(
        UserId user, ContactMethodId id, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        _writer.ChangeAsync<ContactMethod>(by, now, change =>
        {
            if (FindMethod(change, user, id) is not { } method) return MissingMethod(id);
            if (change.ReferrersOf(ObjectKinds.ContactMethod, id.ToString()) is { Count: > 0 } rules)
                return new ChangeResult<ContactMethod>.InUse(ObjectKinds.Describe(ObjectKinds.ContactMethod, method.Label), rules);
            RemoveMethod(change, method);
            PublishContactRules(change, user);
            return new ChangeResult<ContactMethod>.Done(method);
        }, cancel);

    /// <summary>The signing secret of a webhook, for dispatch only: it is shown to nobody after its creation. Null: none.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">It cannot be opened; see <see cref="SecretBox"/>.</exception>
    public async ValueTask<string?> SecretOfAsync(ContactMethodId id, CancellationToken cancel)
    {
        var text = await store.ReadAsync(connection => ValueTask.FromResult(connection.ExecuteScalar<string?>(
            "select secret from contact_secret where method_id = @id", new { id = id.ToString() })), cancel);
        return text is null ? null : box.Open(text, id.ToString());
    }

    /// <summary>How many secrets are sealed with keys that are not here. To be asked before anybody is served.</summary>
    public ValueTask<int> SecretsWithoutKeyAsync(CancellationToken cancel) => store.ReadAsync(
        connection => ValueTask.FromResult(
            connection.Query<string>("select secret from contact_secret").Count(text => !box.HasKeyOf(text))), cancel);

    private static ContactMethod? FindMethod(ConfigurationChange change, UserId user, ContactMethodId id) =>
        PeopleTables.Methods.Find(change.Connection, id.ToString()) is { } method && method.UserId == user ? method : null;

    private static FaultList FaultsOf(ContactMethodDraft draft)
    {
        var faults = new FaultList();
        faults.Name("Label", draft.Label, 100);
        if (draft.Type == ContactMethodType.Email) faults.Email("Address", draft.Address);
        else if (draft.Type == ContactMethodType.Webhook) faults.WebUrl("Address", draft.Address);
        else faults.Add($"Contact method type {(int)draft.Type} is unknown.");
        return faults;
    }

    private static void SaveMethod(ConfigurationChange change, ContactMethod? former, ContactMethod method)
    {
        PeopleTables.Methods.Save(change.Connection, method.Id.ToString(), method, method.UserId.ToString());
        change.Saved(
            ObjectKinds.ContactMethod, method.Id.ToString(), method.Label, [],
            former is null ? null : PeopleTables.Methods.Text(former), PeopleTables.Methods.Text(method));
    }

    private static void RemoveMethod(ConfigurationChange change, ContactMethod method)
    {
        PeopleTables.Methods.Delete(change.Connection, method.Id.ToString());
        change.Connection.Execute("delete from contact_secret where method_id = @id", new { id = method.Id.ToString() });
        change.Deleted(ObjectKinds.ContactMethod, method.Id.ToString(), PeopleTables.Methods.Text(method));
    }

    private string NewSecret()
    {
        Span<byte> bytes = stackalloc byte[SecretBytes];
        secrets(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private static ChangeResult<ContactMethod>.Missing MissingMethod(ContactMethodId id) => new($"contact method {id}");
}
