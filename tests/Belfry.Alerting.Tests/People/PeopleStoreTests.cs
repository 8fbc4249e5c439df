using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Planning;
using Belfry.Alerting.Tests.Catalog;
using Belfry.Alerting.Tests.Storage;
using Dapper;

namespace Belfry.Alerting.Tests.People;

public class PeopleStoreTests : IDisposable
{
    private readonly Configuration _belfry;

    public PeopleStoreTests() : this(TestStore.OnSqlite)
    {
    }

    private protected PeopleStoreTests(StoreOpener open) => _belfry = new Configuration(open);

    public void Dispose() => _belfry.Dispose();

    [Fact]
    public async Task A_new_user_is_reached_by_email_at_once_for_both_urgencies()
    {
        var ada = await _belfry.UserAsync("ada");
        var contact = (await _belfry.People.ContactRulesOfAsync(ada.Id, default))!;
        var method = contact.Methods.ShouldHaveSingleItem();
        (method.Type, method.Address, method.Enabled).ShouldBe((ContactMethodType.Email, "ada@example.org", true));
        contact.Rules.Select(rule => (rule.Urgency, rule.StartDelayMinutes, rule.ContactMethodId))
            .ShouldBe([(Urgency.High, 0, method.Id), (Urgency.Low, 0, method.Id)], ignoreOrder: true);
    }

    [Fact]
    public async Task All_faults_of_a_user_are_told_at_once()
    {
        var result = await _belfry.People.CreateUserAsync(
            new UserDraft("", "nobody", "Mars/Base", (UserRole)9), Configuration.Root, _belfry.Now, default);
        result.Faults().Count.ShouldBe(4);
        (await _belfry.People.ListUsersAsync(0, 10, default)).Total.ShouldBe(0);
    }

    [Theory]
    [InlineData("ada@example.org\r\nBcc: eve@example.org")]
    [InlineData("Ada <ada@example.org>")]
    [InlineData("ada@example.org,eve@example.org")]
    [InlineData("ada@@example.org")]
    [InlineData("@example.org")]
    [InlineData("ada@")]
    [InlineData("a da@example.org")]
    [InlineData("ada\0@example.org")]
    public async Task An_address_that_is_more_or_less_than_one_mailbox_is_refused(string email)
    {
        var result = await _belfry.People.CreateUserAsync(
            new UserDraft("Ada", email, "UTC", UserRole.Observer), Configuration.Root, _belfry.Now, default);
        result.Faults().ShouldHaveSingleItem().ShouldStartWith("Email is no mail address");
    }

    [Fact]
    public async Task An_email_belongs_to_one_user_whatever_its_case()
    {
        await _belfry.UserAsync("ada");
        var result = await _belfry.People.CreateUserAsync(
            new UserDraft("Other", "ADA@Example.org", "UTC", UserRole.Responder), Configuration.Root, _belfry.Now, default);
        result.Faults().ShouldBe(["Email ADA@Example.org belongs to user 'ada' already."]);
        (await _belfry.People.FindUserByEmailAsync("aDa@example.ORG", default))!.Name.ShouldBe("ada");
    }

    [Fact]
    public async Task A_user_may_keep_the_email_when_other_things_change()
    {
        var ada = await _belfry.UserAsync("ada");
        var changed = (await _belfry.People.UpdateUserAsync(
            ada.Id, new UserDraft("Ada L.", "Ada@example.org", "UTC", UserRole.Manager), Configuration.Root, _belfry.Now, default)).Value();
        changed.ShouldBe(new User(ada.Id, "Ada L.", "Ada@example.org", "UTC", UserRole.Manager));
        (await _belfry.People.FindUserAsync(ada.Id, default)).ShouldBe(changed);
    }

    [Fact]
    public async Task Users_are_listed_by_name_in_pages_with_the_total()
    {
        foreach (var name in (string[])["cid", "ada", "bob"]) await _belfry.UserAsync(name);
        var page = await _belfry.People.ListUsersAsync(1, 1, default);
        page.Total.ShouldBe(3);
        page.Items.Select(user => user.Name).ShouldBe(["bob"]);
    }

    [Fact]
    public async Task The_last_administrator_can_neither_leave_nor_step_down()
    {
        var root = await _belfry.UserAsync("root", UserRole.Administrator);
        (await _belfry.People.DeleteUserAsync(root.Id, Configuration.Root, _belfry.Now, default)).Faults().Single()
            .ShouldContain("last administrator");
        (await _belfry.People.UpdateUserAsync(
            root.Id, new UserDraft("root", "root@example.org", "UTC", UserRole.Observer), Configuration.Root, _belfry.Now, default))
            .Faults().Single().ShouldContain("last administrator");
        await _belfry.UserAsync("second", UserRole.Administrator);
        (await _belfry.People.DeleteUserAsync(root.Id, Configuration.Root, _belfry.Now, default)).Value().ShouldBe(root);
    }

    [Fact]
    public async Task A_user_on_a_schedule_or_policy_is_not_deleted_and_both_are_named()
    {
        var ada = await _belfry.UserAsync("ada");
        await _belfry.ScheduleAsync("Weekdays", ada.Id, null);
        await _belfry.PolicyAsync("Payments", new EscalationTarget(TargetKind.User, ada.Id.Value));
        var refusal = (await _belfry.People.DeleteUserAsync(ada.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<User>.InUse>();
        refusal.By.ShouldBe(["escalation policy 'Payments'", "schedule 'Weekdays'"]);
        refusal.Explanation.ShouldBe("user 'ada' is in use by escalation policy 'Payments', schedule 'Weekdays'; change that first.");
        (await _belfry.People.FindUserAsync(ada.Id, default)).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_deleted_user_leaves_nothing_behind_but_a_tombstone_for_planning()
    {
        var ada = await _belfry.UserAsync("ada");
        var hook = await AddHookAsync(ada.Id);
        await _belfry.People.DeleteUserAsync(ada.Id, Configuration.Root, _belfry.Now, default);
        (await _belfry.People.ContactRulesOfAsync(ada.Id, default)).ShouldBeNull();
        (await _belfry.People.SecretOfAsync(hook.Method.Id, default)).ShouldBeNull();
        var tombstone = (await _belfry.PublishedAsync())[^1];
        (tombstone.Topic, tombstone.OrderingKey, tombstone.Value.Length).ShouldBe(("planning-contact-rules", ada.Id.ToString(), 0));
    }

    [Fact]
    public async Task Every_change_of_methods_and_rules_publishes_the_whole_contact_rules()
    {
        var ada = await _belfry.UserAsync("ada");
        var hook = await AddHookAsync(ada.Id);
        var rule = (await _belfry.People.AddRuleAsync(
            ada.Id, new NotificationRuleDraft(Urgency.High, 5, hook.Method.Id), Configuration.Root, _belfry.Now, default)).Value();
        await _belfry.People.UpdateRuleAsync(
            ada.Id, rule.Id, new NotificationRuleDraft(Urgency.Low, 7, hook.Method.Id), Configuration.Root, _belfry.Now, default);
        await _belfry.People.UpdateContactMethodAsync(
            ada.Id, hook.Method.Id, new ContactMethodDraft(ContactMethodType.Webhook, "Off", "https://h.example.org/", false),
            Configuration.Root, _belfry.Now, default);
        await _belfry.People.DeleteRuleAsync(ada.Id, rule.Id, Configuration.Root, _belfry.Now, default);
        await _belfry.People.DeleteContactMethodAsync(ada.Id, hook.Method.Id, Configuration.Root, _belfry.Now, default);

        var published = (await _belfry.PublishedAsync()).Select(record => PlanningWire.DecodeContactRules(record.Value)).ToList();
        published.Select(rules => (rules.Methods.Count, rules.Rules.Count)).ShouldBe(
            [(1, 2), (2, 2), (2, 3), (2, 3), (2, 3), (2, 2), (1, 2)]);
        published[3].Rules.Single(r => r.Id == rule.Id).StartDelayMinutes.ShouldBe(7);
        published[4].Methods.Single(m => m.Id == hook.Method.Id).Enabled.ShouldBeFalse();
        published.ShouldAllBe(rules => rules.UserId == ada.Id);
    }

    [Fact]
    public async Task A_refused_change_publishes_and_records_nothing()
    {
        var ada = await _belfry.UserAsync("ada");
        var before = (await _belfry.PublishedAsync()).Count;
        (await _belfry.People.AddContactMethodAsync(
            ada.Id, new ContactMethodDraft(ContactMethodType.Webhook, "", "ftp://x"), Configuration.Root, _belfry.Now,
            default)).Faults().Count.ShouldBe(2);
        (await _belfry.PublishedAsync()).Count.ShouldBe(before);
        (await _belfry.Audit.ListAsync(0, 100, default)).Total.ShouldBe(4);
    }

    [Fact]
    public async Task A_webhooks_secret_has_256_bits_is_shown_once_and_stays_out_of_records_and_audit()
    {
        var ada = await _belfry.UserAsync("ada");
        var hook = await AddHookAsync(ada.Id);
        hook.Secret!.Length.ShouldBe(64);
        (await _belfry.People.SecretOfAsync(hook.Method.Id, default)).ShouldBe(hook.Secret);
        (await AddHookAsync(ada.Id)).Secret.ShouldNotBe(hook.Secret);

        foreach (var record in await _belfry.PublishedAsync())
            System.Text.Encoding.UTF8.GetString(record.Value.Span).ShouldNotContain(hook.Secret);
        foreach (var entry in (await _belfry.Audit.ListAsync(0, 100, default)).Items)
            $"{entry.Before}{entry.After}".ShouldNotContain(hook.Secret);
    }

    [Fact]
    public async Task A_secret_stands_sealed_in_the_store_and_one_of_another_key_is_counted()
    {
        var hook = await AddHookAsync((await _belfry.UserAsync("ada")).Id);
        var stored = await _belfry.Store.ReadAsync(
            connection => ValueTask.FromResult(connection.QuerySingle<string>("select secret from contact_secret")), default);
        stored.ShouldNotContain(hook.Secret!);
        (await _belfry.People.SecretsWithoutKeyAsync(default)).ShouldBe(0);
        var elsewhere = new PeopleStore(
            _belfry.Store, _belfry.Catalog, _belfry.Topics, new IdSource(Guid.NewGuid), bytes => bytes.Clear(),
            new SecretBox(Enumerable.Repeat((byte)1, SecretBox.KeyBytes).ToArray()));
        (await elsewhere.SecretsWithoutKeyAsync(default)).ShouldBe(1);
    }

    [Fact]
    public async Task A_mail_method_has_no_secret()
    {
        var ada = await _belfry.UserAsync("ada");
        var added = (await _belfry.People.AddContactMethodAsync(
            ada.Id, new ContactMethodDraft(ContactMethodType.Email, "Private", "ada@home.example"), Configuration.Root, _belfry.Now,
            default)).Value();
        added.Secret.ShouldBeNull();
        (await _belfry.People.SecretOfAsync(added.Method.Id, default)).ShouldBeNull();
    }

    [Theory]
    [InlineData("ftp://example.org/")]
    [InlineData("https://user:pass@example.org/")]
    [InlineData("/relative")]
    [InlineData("https://exa mple.org/")]
    [InlineData("javascript:alert(1)")]
    [InlineData("https://example.org/\r\nX: y")]
    public async Task A_webhook_address_that_is_no_plain_web_url_is_refused(string address)
    {
        var ada = await _belfry.UserAsync("ada");
        (await _belfry.People.AddContactMethodAsync(
            ada.Id, new ContactMethodDraft(ContactMethodType.Webhook, "Hook", address), Configuration.Root, _belfry.Now, default))
            .Faults().Single().ShouldStartWith("Address is no http or https URL");
    }

    [Fact]
    public async Task A_method_in_use_by_rules_is_not_deleted_and_they_are_named()
    {
        var ada = await _belfry.UserAsync("ada");
        var method = (await _belfry.People.ContactRulesOfAsync(ada.Id, default))!.Methods.Single();
        (await _belfry.People.DeleteContactMethodAsync(ada.Id, method.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<ContactMethod>.InUse>().By
            .ShouldBe(["notification rule 'high urgency after 0 min'", "notification rule 'low urgency after 0 min'"]);
    }

    [Fact]
    public async Task Anothers_method_or_rule_is_missing()
    {
        var (ada, bob) = (await _belfry.UserAsync("ada"), await _belfry.UserAsync("bob"));
        var contact = (await _belfry.People.ContactRulesOfAsync(ada.Id, default))!;
        var (method, rule) = (contact.Methods[0], contact.Rules[0]);
        (await _belfry.People.DeleteRuleAsync(bob.Id, rule.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<NotificationRule>.Missing>();
        (await _belfry.People.UpdateContactMethodAsync(
            bob.Id, method.Id, new ContactMethodDraft(ContactMethodType.Email, "x", "x@example.org"), Configuration.Root, _belfry.Now,
            default))
            .ShouldBeOfType<ChangeResult<ContactMethod>.Missing>();
        (await _belfry.People.AddRuleAsync(
            bob.Id, new NotificationRuleDraft(Urgency.High, 0, method.Id), Configuration.Root, _belfry.Now,
            default)).Faults().Count.ShouldBe(1);
        (await _belfry.People.ContactRulesOfAsync(ada.Id, default))!.Rules.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1_441)]
    public async Task A_rules_delay_is_bounded(int minutes)
    {
        var ada = await _belfry.UserAsync("ada");
        var method = (await _belfry.People.ContactRulesOfAsync(ada.Id, default))!.Methods.Single();
        (await _belfry.People.AddRuleAsync(
            ada.Id, new NotificationRuleDraft(Urgency.High, minutes, method.Id), Configuration.Root, _belfry.Now, default))
            .Faults().ShouldBe([$"The delay in minutes is {minutes}; 0 to 1440 is expected."]);
    }

    private async Task<NewContactMethod> AddHookAsync(UserId user) => (await _belfry.People.AddContactMethodAsync(
        user, new ContactMethodDraft(ContactMethodType.Webhook, "Hook", "https://hooks.example.org/x"), Configuration.Root, _belfry.Now,
        default)).Value();
}
