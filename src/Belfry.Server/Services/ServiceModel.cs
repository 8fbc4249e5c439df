using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;

namespace Belfry.Server.Services;

/// <summary>One service as its page shows it.</summary>
/// <param name="Service">The service.</param>
/// <param name="Policy">Its policy; null when it is gone.</param>
/// <param name="Integrations">By name, each with its last refused events, newest first.</param>
/// <param name="BaseUrl">Where senders reach this server, without a slash at its end.</param>
public sealed record ServiceModel(
    Service Service, EscalationPolicy? Policy,
    IReadOnlyList<(Integration Integration, IReadOnlyList<RefusedEvent> Refused)> Integrations, string BaseUrl);
