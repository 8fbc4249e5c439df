using System.Globalization;
using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>
/// Sending an ended delivery again, under the same idempotency key. A replay travels through the log like the first sending, marked with
/// its generation, so that asking twice for the same one has one effect.
/// </summary>
public static class DeliveryReplay
{
    /// <summary>The header that carries the generation, a decimal number from 1.</summary>
    public const string Header = "belfry-replay";

    /// <summary>The record to append to <paramref name="topic"/>, the topic of the first sending.</summary>
    /// <exception cref="ArgumentException">The row holds no record: it is neither dead nor unknown. Not retryable.</exception>
    public static OutgoingRecord RecordOf(DeliveryRow row, string topic)
    {
        if (row is not { RecordValue: { } value })
        {
            throw new ArgumentException(
                $"Delivery '{row.IdempotencyKey}' is {row.State} and keeps no record; only Dead and Unknown ones can be replayed.",
                nameof(row));
        }

        return new OutgoingRecord
        {
            Topic = topic,
            OrderingKey = row.RecordKey ?? row.Recipient,
            Value = value,
            Headers = [new(Header, (row.Generation + 1).ToString(CultureInfo.InvariantCulture))],
        };
    }

    /// <summary>0 for a first sending.</summary>
    /// <exception cref="FormatException">The header is no number from 1 to 1,000,000.</exception>
    public static int GenerationOf(LogRecord record)
    {
        foreach (var (name, text) in record.Headers)
        {
            if (name != Header) continue;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var generation)
                && generation is >= 1 and <= 1_000_000)
            {
                return generation;
            }

            throw new FormatException($"Header '{Header}' of {record} is '{text}', not a number from 1 to 1000000.");
        }

        return 0;
    }
}
