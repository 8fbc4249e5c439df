using Belfry.Alerting;
using Belfry.Server.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Server.Tests.Hosting;

public sealed class RoleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-roles-test").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Every_hop_is_run_by_a_role_that_can_be_named_and_every_role_runs_something()
    {
        await using var shape = await ServerShape.OpenAsync(
            new ServerOptions { DataDir = _folder }, TimeProvider.System, NullLoggerFactory.Instance, default);
        var hops = ShapePipeline.Hops(shape, new Uri("http://127.0.0.1/"));
        var named = hops.SelectMany(hop => hop.Roles).Distinct().ToList();
        named.Except(RoleSet.Names).ShouldBeEmpty("a role that RoleSet.Names lacks would be run by nobody");
        RoleSet.Names.Except(named).ShouldBe([RoleSet.Api]);
        foreach (var hop in hops) RoleSet.All.Runs(hop).ShouldBeTrue(hop.Name);
    }

    [Fact]
    public async Task Folds_of_the_embedded_shape_hold_less_than_the_other_hops()
    {
        await using var shape = await ServerShape.OpenAsync(
            new ServerOptions { DataDir = _folder }, TimeProvider.System, NullLoggerFactory.Instance, default);
        ShapePipeline.Hops(shape, new Uri("http://127.0.0.1/")).Where(hop => hop.Consumer is { Options.HeldMax: 2_000 })
            .Select(hop => hop.Name).ShouldBe(["incidents", "planning", "timeline"]);
    }

    [Fact]
    public void Without_roles_everything_runs_and_with_some_only_theirs()
    {
        RoleSet.Read(null, []).AreAll.ShouldBeTrue();
        var some = RoleSet.Read("email, api,email", []);
        (some.AreAll, some.ServesApi, some.ToString()).ShouldBe((false, true, "api, email"));
        Hop Of(params string[] roles) => new("x", _ => Task.CompletedTask) { Roles = roles };
        some.Runs(Of("email")).ShouldBeTrue();
        some.Runs(Of("incidents")).ShouldBeFalse();
        some.Runs(Of("incidents", "api")).ShouldBeTrue();
        some.Runs(Of()).ShouldBeTrue("what every process needs");
    }

    [Theory]
    [InlineData("api,sms,,mail,", "--roles names 'sms' and an empty one and 'mail'; there are api, incidents,")]
    [InlineData("", "--roles names an empty one; there are api, incidents,")]
    public void Unknown_and_empty_roles_are_named_in_one_fault(string roles, string fault)
    {
        var faults = new List<string>();
        RoleSet.Read(roles, faults);
        faults.ShouldHaveSingleItem().ShouldStartWith(fault);
    }

    [Theory]
    [InlineData("--roles: the embedded shape is one process that does everything, and 'api, email' is not all", "--roles", "api,email")]
    [InlineData("--roles without 'api' needs --base-url", "--roles", "email", "--shape", "clustered")]
    public void Roles_that_cannot_work_are_refused(string fault, params string[] arguments)
    {
        var faults = new List<string>();
        ServerOptions.Read(arguments, new ConfigurationBuilder().Build(), faults);
        faults.ShouldContain(one => one.StartsWith(fault, StringComparison.Ordinal));
    }
}
