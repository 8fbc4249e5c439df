using Microsoft.Extensions.Logging;

namespace Belfry.Deliveries;

internal sealed partial class PartitionDeliveries
{
    [LoggerMessage(1101, LogLevel.Warning, "Delivery '{Key}' over {Channel} is asked for again: {Reason}")]
    private partial void ClaimWasStale(string key, string channel, string reason);

    [LoggerMessage(1102, LogLevel.Warning, "Delivery '{Key}' over {Channel} stays claimed, though nothing was sent")]
    private partial void ClaimWasKept(Exception fault, string key, string channel);

    [LoggerMessage(1103, LogLevel.Error, "A callback of {Channel} on its token threw as delivery '{Key}' was cut off")]
    private partial void CallbackFailed(Exception fault, string key, string channel);
}
