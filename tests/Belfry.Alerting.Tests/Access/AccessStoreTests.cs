using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Tests.Storage;

namespace Belfry.Alerting.Tests.Access;

public class AccessStoreTests : IDisposable
{
    private static readonly Actor Root = new(null, "root", "192.0.2.1");
    private static readonly UserId Ada = new(new Guid(7, 0, 0, new byte[8]));
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly TestStore _store;
    private readonly AccessStore _access;
    private readonly Random _random = new(7);
    private int _ids;

    public AccessStoreTests() : this(TestStore.OnSqlite)
    {
    }

    private protected AccessStoreTests(StoreOpener open)
    {
        _store = open([.. CatalogSchema.Steps, .. AccessSchema.Steps]);
        _access = new AccessStore(_store.Store, new IdSource(() => new Guid(++_ids, 0, 0, new byte[8])), _random.NextBytes);
    }

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task An_invitation_is_used_once_and_sets_the_password()
    {
        var secret = await _access.InviteAsync(null, TimeSpan.FromHours(1), Root, Now, default);
        (await _access.FindInvitationAsync(secret.Text, Now, default)).ShouldNotBeNull().UserId.ShouldBeNull();
        (await _access.FindInvitationAsync(secret.Text, Now.AddHours(2), default)).ShouldBeNull();
        (await _access.RedeemAsync(secret.Text, Ada, "hash", Root, Now, default)).ShouldBeTrue();
        (await _access.RedeemAsync(secret.Text, Ada, "other", Root, Now, default)).ShouldBeFalse();
        (await _access.PasswordHashOfAsync(Ada, default)).ShouldBe("hash");
        (await _access.UsersWithPasswordAsync(default)).Single().ShouldBe(Ada);
        (await _access.PasswordHashOfAsync(new UserId(Guid.Empty), default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_second_invitation_of_the_first_administrator_ends_the_first_one()
    {
        var first = await _access.InviteAsync(null, TimeSpan.FromHours(1), Root, Now, default);
        var ofAda = await _access.InviteAsync(Ada, TimeSpan.FromHours(1), Root, Now, default);
        await _access.InviteAsync(null, TimeSpan.FromHours(1), Root, Now, default);
        (await _access.FindInvitationAsync(first.Text, Now, default)).ShouldBeNull();
        (await _access.FindInvitationAsync(ofAda.Text, Now, default)).ShouldNotBeNull().UserId.ShouldBe(Ada);
    }

    [Fact]
    public async Task Of_the_links_that_several_instances_gave_out_the_first_one_used_ends_the_others()
    {
        var first = await _access.InviteBesidesAsync(TimeSpan.FromHours(1), Root, Now, default);
        var second = await _access.InviteBesidesAsync(TimeSpan.FromHours(1), Root, Now, default);
        var ofAda = await _access.InviteAsync(Ada, TimeSpan.FromHours(1), Root, Now, default);
        (await _access.FindInvitationAsync(first.Text, Now, default)).ShouldNotBeNull();
        (await _access.RedeemAsync(ofAda.Text, Ada, "hash", Root, Now, default)).ShouldBeTrue();
        (await _access.RedeemAsync(second.Text, Ada, "hash", Root, Now, default))
            .ShouldBeTrue("a user's own link is no first administrator's");
        (await _access.RedeemAsync(first.Text, Ada, "other", Root, Now, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_session_opens_is_seen_and_ends()
    {
        var secret = await _access.OpenSessionAsync(Ada, "192.0.2.1", "agent", Root, Now, default);
        var later = Now + Session.SeenStep + TimeSpan.FromSeconds(1);
        (await _access.FindSessionAsync(secret.Text, later, default)).ShouldNotBeNull().SeenAt.ShouldBe(later);
        var session = (await _access.SessionsOfAsync(Ada, later, default)).Single();
        (session.UserId, session.SeenAt, session.Address).ShouldBe((Ada, later, "192.0.2.1"));
        (await _access.RevokeSessionAsync(Ada, session.Id, Root, later, default)).ShouldBeTrue();
        (await _access.RevokeSessionAsync(Ada, session.Id, Root, later, default)).ShouldBeFalse();
        (await _access.FindSessionAsync(secret.Text, later, default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_token_is_found_until_it_is_revoked()
    {
        var (token, secret) = await _access.IssueTokenAsync(Ada, "ci", TokenScope.Read, null, Root, Now, default);
        var found = (await _access.FindTokenAsync(secret.Text, Now, default)).ShouldNotBeNull();
        (found.Id, found.UsedAt, found.Scope).ShouldBe((token.Id, Now, TokenScope.Read));
        (await _access.TokensOfAsync(null, default)).Count.ShouldBe(1);
        (await _access.TokensOfAsync(new UserId(Guid.Empty), default)).ShouldBeEmpty();
        (await _access.RevokeTokenAsync(token.Id, Root, Now, default)).ShouldBeTrue();
        (await _access.FindTokenAsync(secret.Text, Now, default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_failed_sign_in_is_audited_whatever_was_typed()
    {
        await _access.RecordFailedSignInAsync("ada\0@example.org", Root, Now, default);
        var audit = new AuditLog(_store.Store);
        (await audit.ListAsync(0, 1, default)).Items.Single().ObjectId.ShouldBe("ada\uFFFD@example.org");
        (await audit.FirstBrokenAsync(default)).ShouldBeNull();
    }
}
