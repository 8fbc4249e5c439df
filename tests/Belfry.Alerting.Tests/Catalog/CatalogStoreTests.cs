using Belfry.Alerting.Catalog;
using Belfry.Alerting.Tests.Storage;
using Dapper;

namespace Belfry.Alerting.Tests.Catalog;

public class CatalogStoreTests : IDisposable
{
    private readonly Configuration _belfry;

    public CatalogStoreTests() : this(TestStore.OnSqlite)
    {
    }

    private protected CatalogStoreTests(StoreOpener open) => _belfry = new Configuration(open);

    public void Dispose() => _belfry.Dispose();

    [Fact]
    public async Task A_service_can_be_made_read_changed_and_deleted()
    {
        var policy = await UserPolicyAsync();
        var service = await _belfry.ServiceAsync("Billing", policy.Id);
        service.AcknowledgementTimeoutSeconds.ShouldBe(1_800);
        var changed = (await _belfry.Services.UpdateServiceAsync(
            service.Id, new ServiceDraft("Invoices", "d", policy.Id, UrgencyRule.BySeverity, 0, null), Configuration.Root, _belfry.Now,
            default)).Value();
        (await _belfry.Services.FindServiceAsync(service.Id, default)).ShouldBe(changed);
        changed.ShouldBe(new Service(service.Id, "Invoices", "d", policy.Id, UrgencyRule.BySeverity, 0, null));
        await _belfry.Services.DeleteServiceAsync(service.Id, Configuration.Root, _belfry.Now, default);
        (await _belfry.Services.FindServiceAsync(service.Id, default)).ShouldBeNull();
        (await _belfry.Services.ListServicesAsync(0, 10, default)).Total.ShouldBe(0);
    }

    [Fact]
    public async Task All_faults_of_a_service_are_told_at_once()
    {
        var draft = new ServiceDraft(new string('x', 256), "", new PolicyId(Guid.NewGuid()), (UrgencyRule)7, 5, -1);
        (await _belfry.Services.CreateServiceAsync(draft, Configuration.Root, _belfry.Now, default)).Faults().Count.ShouldBe(5);
    }

    [Fact]
    public async Task Changing_or_deleting_what_is_not_there_is_missing()
    {
        var policy = await UserPolicyAsync();
        (await _belfry.Services.UpdateServiceAsync(
            new ServiceId(Guid.Empty), new ServiceDraft("x", "", policy.Id), Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<Service>.Missing>().Explanation.ShouldBe($"There is no service {Guid.Empty:N}.");
        (await _belfry.Services.DeletePolicyAsync(new PolicyId(Guid.Empty), Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<EscalationPolicy>.Missing>();
    }

    [Fact]
    public async Task Routing_keys_are_32_letters_and_digits_and_differ()
    {
        var service = await _belfry.ServiceAsync("Billing", (await UserPolicyAsync()).Id);
        var keys = new HashSet<string>();
        for (var i = 0; i < 50; i++)
            keys.Add((await _belfry.IntegrationAsync($"I{i}", service.Id)).RoutingKey);
        keys.Count.ShouldBe(50);
        keys.ShouldAllBe(key => key.Length == 32 && key.All(char.IsAsciiLetterOrDigit));
    }

    [Fact]
    public async Task A_rotated_routing_key_replaces_the_old_one()
    {
        var service = await _belfry.ServiceAsync("Billing", (await UserPolicyAsync()).Id);
        var integration = await _belfry.IntegrationAsync("Prometheus", service.Id);
        var rotated = (await _belfry.Services.RotateRoutingKeyAsync(integration.Id, Configuration.Root, _belfry.Now, default)).Value();
        _belfry.Catalog.Current.IntegrationOf(integration.RoutingKey).ShouldBeNull();
        _belfry.Catalog.Current.IntegrationOf(rotated.RoutingKey).ShouldBe(rotated);
    }

    [Fact]
    public async Task The_audit_log_shows_no_whole_routing_key()
    {
        var service = await _belfry.ServiceAsync("Billing", (await UserPolicyAsync()).Id);
        var key = (await _belfry.IntegrationAsync("Prometheus", service.Id)).RoutingKey;
        foreach (var entry in (await _belfry.Audit.ListAsync(0, 100, default)).Items) $"{entry.Before}{entry.After}".ShouldNotContain(key);
    }

    [Fact]
    public async Task A_deleted_service_takes_its_integrations_along()
    {
        var policy = await UserPolicyAsync();
        var (kept, gone) = (await _belfry.ServiceAsync("Kept", policy.Id), await _belfry.ServiceAsync("Gone", policy.Id));
        foreach (var service in (Service[])[kept, gone])
            await _belfry.Services.CreateIntegrationAsync(service.Id, new IntegrationDraft("I"), Configuration.Root, _belfry.Now, default);
        await _belfry.Services.DeleteServiceAsync(gone.Id, Configuration.Root, _belfry.Now, default);
        (await _belfry.Services.ListIntegrationsAsync(null, 0, 10, default)).Items.ShouldHaveSingleItem().ServiceId.ShouldBe(kept.Id);
        (await _belfry.Services.ListIntegrationsAsync(gone.Id, 0, 10, default)).Total.ShouldBe(0);
    }

    [Fact]
    public async Task A_policy_in_use_is_not_deleted_and_its_services_are_named()
    {
        var policy = await UserPolicyAsync();
        await _belfry.ServiceAsync("Billing", policy.Id);
        var search = await _belfry.ServiceAsync("Search", policy.Id);
        (await _belfry.Services.DeletePolicyAsync(policy.Id, Configuration.Root, _belfry.Now, default))
            .ShouldBeOfType<ChangeResult<EscalationPolicy>.InUse>().By.ShouldBe(["service 'Billing'", "service 'Search'"]);

        var other = await UserPolicyAsync("bob", "Other");
        foreach (var service in (await _belfry.Services.ListServicesAsync(0, 10, default)).Items)
            await _belfry.Services.UpdateServiceAsync(
                service.Id, new ServiceDraft(service.Name, "", other.Id), Configuration.Root, _belfry.Now, default);
        (await _belfry.Services.DeletePolicyAsync(policy.Id, Configuration.Root, _belfry.Now, default)).Value().Id.ShouldBe(policy.Id);
        search.PolicyId.ShouldBe(policy.Id);
    }

    [Fact]
    public async Task All_faults_of_a_policy_are_told_with_their_levels()
    {
        var ada = await _belfry.UserAsync("ada");
        var target = new EscalationTarget(TargetKind.User, ada.Id.Value);
        var draft = new PolicyDraft("P", 10,
        [
            new EscalationLevel(0, []),
            new EscalationLevel(5, [target, target]),
            new EscalationLevel(5, [new EscalationTarget(TargetKind.Schedule, ada.Id.Value)]),
        ]);
        (await _belfry.Services.CreatePolicyAsync(draft, Configuration.Root, _belfry.Now, default)).Faults().ShouldBe(
        [
            "Loops is 10; 0 to 9 is expected.",
            "Level 1: the delay in minutes is 0; 1 to 1440 is expected.",
            "Level 1: the number of targets is 0; 1 to 10 is expected.",
            "Level 2: a target is named twice.",
            $"Level 3: there is no schedule {ada.Id}.",
        ]);
    }

    [Fact]
    public async Task Former_versions_of_a_policy_are_kept()
    {
        var policy = await UserPolicyAsync();
        await _belfry.Services.UpdatePolicyAsync(
            policy.Id, new PolicyDraft("Renamed", 2, policy.Levels), Configuration.Root, _belfry.Now, default);
        var versions = await _belfry.Store.ReadAsync(connection => ValueTask.FromResult(connection.Query<(long Version, string Document)>(
            "select content_version, document from escalation_policy_version order by content_version").ToList()), default);
        versions.Select(row => row.Version).ShouldBe([1, 2]);
        versions[0].Document.ShouldContain("\"Payments\"");
        versions[1].Document.ShouldContain("\"Renamed\"");
    }

    private async Task<EscalationPolicy> UserPolicyAsync(string user = "ada", string name = "Payments") =>
        await _belfry.PolicyAsync(name, new EscalationTarget(TargetKind.User, (await _belfry.UserAsync(user)).Id.Value));
}
