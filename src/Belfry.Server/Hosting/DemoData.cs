using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.OnCall;
using Belfry.Alerting.People;

namespace Belfry.Server.Hosting;

/// <summary>What opens the demo: given out through the ready file only.</summary>
internal sealed record DemoSecrets(string AdminToken, string IntegrationKey);

/// <summary>
/// Three people, a weekly rotation, a policy of two levels and a service with an inlet. Everything is found by its name, so a second
/// start adds nothing; the token alone is new each time, and the former one ends.
/// </summary>
internal static class DemoData
{
    private const string TokenName = "demo";
    private const int WeekSeconds = 7 * 24 * 3_600;
    private static readonly Actor By = new(null, "demo");

    public static async Task<DemoSecrets> EnsureAsync(ServerShape shape, CancellationToken cancel)
    {
        var now = shape.Time.GetUtcNow();
        var ada = await UserAsync(
            shape, new UserDraft("Ada Nwosu", "ada@example.com", "Europe/London", UserRole.Administrator), now, cancel);
        var ben = await UserAsync(shape, new UserDraft("Ben Okafor", "ben@example.com", "Europe/Berlin", UserRole.Manager), now, cancel);
        var chi = await UserAsync(shape, new UserDraft("Chi Tanaka", "chi@example.com", "Asia/Tokyo", UserRole.Responder), now, cancel);
        var schedule = await ScheduleAsync(shape, [chi, ben, ada], now, cancel);
        var policy = await PolicyAsync(shape, schedule, ada, now, cancel);
        var integration = await IntegrationAsync(shape, policy, now, cancel);
        foreach (var old in await shape.Access.TokensOfAsync(ada, cancel))
            if (old.Name == TokenName) await shape.Access.RevokeTokenAsync(old.Id, By, now, cancel);
        var (_, secret) = await shape.Access.IssueTokenAsync(ada, TokenName, TokenScope.Write, null, By, now, cancel);
        return new DemoSecrets(secret.Text, integration.RoutingKey);
    }

    private static async Task<UserId> UserAsync(ServerShape shape, UserDraft draft, DateTimeOffset now, CancellationToken cancel) =>
        shape.Catalog.Current.Users.FirstOrDefault(user => user.Email == draft.Email)?.Id
        ?? Done(await shape.People.CreateUserAsync(draft, By, now, cancel)).Id;

    private static async Task<ScheduleId> ScheduleAsync(
        ServerShape shape, IReadOnlyList<UserId?> turns, DateTimeOffset now, CancellationToken cancel)
    {
        const string Name = "Primary on-call";
        var monday = now.UtcDateTime.Date.AddDays(-(((int)now.UtcDateTime.DayOfWeek + 6) % 7)).AddHours(9).AddDays(-7);
        monday = DateTime.SpecifyKind(monday, DateTimeKind.Unspecified);
        var layer = new ScheduleLayer("Weekly", turns, monday, null, monday, WeekSeconds, []);
        return shape.Catalog.Current.Schedules.FirstOrDefault(schedule => schedule.Name == Name)?.Id
            ?? Done(await shape.Schedules.CreateAsync(new ScheduleDraft(Name, "Europe/London", [layer]), By, now, cancel)).Id;
    }

    private static async Task<PolicyId> PolicyAsync(
        ServerShape shape, ScheduleId schedule, UserId last, DateTimeOffset now, CancellationToken cancel)
    {
        const string Name = "Standard";
        var levels = new EscalationLevel[]
        {
            new(5, [new EscalationTarget(TargetKind.Schedule, schedule.Value)]),
            new(10, [new EscalationTarget(TargetKind.User, last.Value)]),
        };
        return shape.Catalog.Current.Policies.FirstOrDefault(policy => policy.Name == Name)?.Id
            ?? Done(await shape.Services.CreatePolicyAsync(new PolicyDraft(Name, 1, levels), By, now, cancel)).Id;
    }

    private static async Task<Integration> IntegrationAsync(
        ServerShape shape, PolicyId policy, DateTimeOffset now, CancellationToken cancel)
    {
        const string Name = "Checkout";
        const string Inlet = "Events API";
        var service = shape.Catalog.Current.Services.FirstOrDefault(service => service.Name == Name)?.Id
            ?? Done(
                await shape.Services.CreateServiceAsync(new ServiceDraft(Name, "Takes the customers' money.", policy), By, now, cancel)).Id;
        return shape.Catalog.Current.Integrations.FirstOrDefault(inlet => inlet.ServiceId == service && inlet.Name == Inlet)
            ?? Done(await shape.Services.CreateIntegrationAsync(
                service, new IntegrationDraft(Inlet, EventsPerMinute: 1_000_000), By, now, cancel));
    }

    private static T Done<T>(ChangeResult<T> result) =>
        result is ChangeResult<T>.Done done ? done.Value : throw new InvalidOperationException($"Demo data: {result.Explanation}");
}
