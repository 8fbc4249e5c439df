using System.Text.Json;
using Belfry.Alerting.Events;
using Belfry.Log;

namespace Belfry.Alerting.Incidents;

/// <summary>A record read: one of event, command or fault is there.</summary>
internal sealed record DecodedInput(LogRecord Record, AlertEvent? Event, IncidentCommand? Command, string? Fault)
{
    public EventId? Id => Event?.Id ?? Command?.Id;
}

/// <summary>Reads the records of both topics. What cannot be read is a decided outcome with its reason.</summary>
internal sealed class IncidentDecoder(Topics topics, int partition)
{
    public const int VersionRead = 1;

    public DecodedInput Decode(LogRecord record)
    {
        try
        {
            return record.Source.Topic == topics.IncidentCommands.Name ? DecodeCommand(record) : DecodeEvent(record);
        }
        catch (JsonException fault)
        {
            return new DecodedInput(record, null, null, $"The record is not readable: {fault.Message}");
        }
    }

    /// <summary>
    /// The id that a record seems to have, else the one it was given when it was replayed (<see cref="FailedEvents.IdHeader"/>), else one
    /// that follows from its place in the log.
    /// </summary>
    public static EventId IdOf(LogRecord record) => IdOf(record, record.ToString());

    /// <summary>The same of a record that has been moved.</summary>
    /// <param name="record">The record.</param>
    /// <param name="place">Where it was first.</param>
    public static EventId IdOf(LogRecord record, string place)
    {
        try
        {
            using var document = JsonDocument.Parse(record.Value);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("id", out var id)
                && id.ValueKind == JsonValueKind.String && Alerting.Id.TryParse<EventId>(id.GetString(), out var found)) return found;
        }
        catch (JsonException)
        {
            // Not JSON at all: the place in the log is its only name.
        }

        var given = record.Headers.FirstOrDefault(pair => pair.Key == FailedEvents.IdHeader).Value;
        return Alerting.Id.TryParse<EventId>(given, out var kept) ? kept : Alerting.Id.Derive<EventId>(Guid.Empty, place);
    }

    private DecodedInput DecodeEvent(LogRecord record)
    {
        var read = JsonSerializer.Deserialize(record.Value.Span, IncidentJson.Default.AlertEvent) ?? throw new JsonException("JSON null.");
        var fault = Fault(read.Version, read.ServiceId)
            ?? (read.Action != EventAction.Change && read.DedupKey.Length is 0 or > 255
                ? $"A dedup key has 1 to 255 characters, not {read.DedupKey.Length}."
                : null);
        return new DecodedInput(record, fault is null ? read : null, null, fault);
    }

    private DecodedInput DecodeCommand(LogRecord record)
    {
        var read = JsonSerializer.Deserialize(record.Value.Span, IncidentJson.Default.IncidentCommand)
            ?? throw new JsonException("JSON null.");
        var fault = Fault(read.Version, read.ServiceId) ?? IncidentCommands.Fault(read);
        return new DecodedInput(record, null, fault is null ? read : null, fault);
    }

    private string? Fault(int version, ServiceId service)
    {
        if (version != VersionRead) return $"The record has version {version}; this program reads version {VersionRead}.";
        var owner = Partitioner.PartitionOf(service.ToString(), topics.IncomingEvents.Partitions);
        return owner == partition ? null : $"Service {service} belongs to partition {owner}, not {partition}.";
    }
}
