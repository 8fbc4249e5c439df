using System.Text.Json;
using Belfry.Log;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// Puts commands on <c>incident-commands</c>, where the owner of their service folds them. Safe for use by several threads.
/// </summary>
public sealed class IncidentCommandWriter(IPartitionedLog log, Topics topics)
{
    /// <summary>
    /// Completes once the command is durable; the fold applies it later. <see cref="IncidentDirectory.EventStateAsync"/> with the
    /// command's id then says what became of it.
    /// </summary>
    /// <exception cref="ArgumentException">The command lacks what its kind needs, or a value is out of bounds. Not retryable.</exception>
    /// <exception cref="LogUnavailableException">Not acknowledged: repeat with the same id.</exception>
    public ValueTask SendAsync(IncidentCommand command, CancellationToken cancel) =>
        IncidentCommands.Fault(command) is { } fault
            ? throw new ArgumentException(fault, nameof(command))
            : log.AppendAsync([RecordOf(command, topics)], cancel);

    internal static OutgoingRecord RecordOf(IncidentCommand command, Topics topics) => new()
    {
        Topic = topics.IncidentCommands.Name,
        OrderingKey = command.ServiceId.ToString(),
        Value = JsonSerializer.SerializeToUtf8Bytes(command, IncidentJson.Default.IncidentCommand),
    };
}
