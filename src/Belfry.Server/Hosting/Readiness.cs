using Belfry.Alerting;
using Belfry.Log;

namespace Belfry.Server.Hosting;

/// <summary>
/// What <c>/health/ready</c> means: send this instance requests. Of one with the role <c>api</c>, that an event can be accepted; a hop that
/// stands still, behind a store that is away or by itself, takes nothing from that and is told by <c>/health/consumers</c>. Of one without,
/// which gets no requests, that its hops work. Any thread.
/// </summary>
internal sealed class Readiness(
    RoleSet roles, Func<IReadOnlyList<HopStatus>> hops, Func<IReadOnlyList<ConsumerHealth>> consumers, AcceptProbe accept,
    CancellationToken stopping)
{
    // Set once: a hop that is started again later does not make the instance a new one.
    private volatile bool _hasBegun;

    public static Readiness Of(HopRunner hops, ServerShape shape, IHostApplicationLifetime lifetime) => new(
        shape.Options.Roles, () => hops.Statuses, () => shape.Consumers.Healths,
        new AcceptProbe(
            shape.Ports.LogQuestion(shape.Topics.IncomingEvents), shape.Ports.Detour is null ? null : () => AskStoreAsync(shape),
            shape.Time),
        lifetime.ApplicationStopping);

    /// <summary>Nobody but a new process helps.</summary>
    public bool IsLive => !consumers().Any(health => health.FailsLiveness);

    public async Task<bool> IsReadyAsync()
    {
        if (stopping.IsCancellationRequested) return false;
        var (statuses, healths) = (hops(), consumers());
        if (!roles.ServesApi) return Run(statuses) && healths.All(health => health is { IsAssigned: true, IsUnhealthy: false });
        _hasBegun = _hasBegun || (HaveBegun(statuses) && healths.All(health => health.IsAssigned));
        return _hasBegun && IsLive && await accept.HoldsAsync();
    }

    private static bool Run(IReadOnlyList<HopStatus> hops) => hops.Count > 0 && hops.All(hop => hop.Running);

    private static bool HaveBegun(IReadOnlyList<HopStatus> hops) => hops.Count > 0 && hops.All(hop => hop.Running || hop.Restarts > 0);

    private static async Task AskStoreAsync(ServerShape shape) =>
        await shape.Ports.Store.ReadAsync(async connection =>
        {
            await using var command = connection.CreateCommand();
            command.CommandText = "select 1";
            return await command.ExecuteScalarAsync();
        }, CancellationToken.None);
}
