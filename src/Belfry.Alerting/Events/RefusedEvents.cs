using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Alerting.Events;

/// <summary>Why an event was not taken in; the labels of its metric.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RefusalReason>))]
public enum RefusalReason
{
    [JsonStringEnumMemberName("invalid")] Invalid,
    [JsonStringEnumMemberName("unrecognized")] Unrecognized,
    [JsonStringEnumMemberName("too_large")] TooLarge,
    [JsonStringEnumMemberName("rate_limited")] RateLimited,
}

/// <summary>A refused event as its owner is shown it. Texts are cut to <see cref="RefusedEvents.TextLengthMax"/>.</summary>
public sealed record RefusedEvent(
    DateTimeOffset At, RefusalReason Reason, IReadOnlyList<string> Errors, string? DedupKey, string? Summary)
{
    private const int ErrorsMax = 10;

    internal RefusedEvent Cut() => this with
    {
        DedupKey = Cut(DedupKey), Summary = Cut(Summary), Errors = [.. Errors.Take(ErrorsMax).Select(error => Cut(error)!)],
    };

    internal static string? Cut(string? text, int charactersMax = RefusedEvents.TextLengthMax) =>
        text is null ? null : text[..EventParser.CutAt(text, charactersMax)];

    internal byte[] Encode() => JsonSerializer.SerializeToUtf8Bytes(Cut(), EventsJson.Default.RefusedEvent);

    /// <summary>Null: not readable, as what a newer program wrote may be.</summary>
    internal static RefusedEvent? Decode(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return JsonSerializer.Deserialize(bytes.Span, EventsJson.Default.RefusedEvent) is { Errors: not null } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>
/// The last events that this process refused, by integration: a 400 hides a real alert from its user, and the sender's own log often does
/// not say which it was. What carried no known routing key is kept under no integration. Those of other processes: see
/// <see cref="EventTrail"/>. Any thread.
/// </summary>
public sealed class RefusedEvents
{
    public const int KeptMax = 50;
    public const int TextLengthMax = 200;
    private const int IntegrationsMax = 10_000;
    private static readonly TimeSpan LogEvery = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<IntegrationId, Kept> _kept = [];
    private readonly long[] _counts = new long[Enum.GetValues<RefusalReason>().Length];

    /// <summary>Keeps it.</summary>
    /// <returns>
    /// How many were refused since the last line about this integration, when it is time for another; else 0. A sender repeats a poison
    /// event for ever, so at most one line a minute is written.
    /// </returns>
    public long Add(IntegrationId? integration, RefusedEvent refused)
    {
        refused = refused.Cut();
        lock (_lock)
        {
            _counts[(int)refused.Reason]++;
            var key = integration ?? default;
            if (!_kept.TryGetValue(key, out var kept))
            {
                if (_kept.Count >= IntegrationsMax) _kept.Remove(_kept.MinBy(pair => pair.Value.Events.Last().At).Key);
                kept = _kept[key] = new Kept();
            }

            if (kept.Events.Count == KeptMax) kept.Events.Dequeue();
            kept.Events.Enqueue(refused);
            kept.Unlogged++;
            if (kept.LoggedAt is { } last && refused.At - last < LogEvery) return 0;
            kept.LoggedAt = refused.At;
            var unlogged = kept.Unlogged;
            kept.Unlogged = 0;
            return unlogged;
        }
    }

    /// <summary>Newest first; null for what carried no known routing key.</summary>
    public IReadOnlyList<RefusedEvent> Of(IntegrationId? integration)
    {
        lock (_lock) return _kept.TryGetValue(integration ?? default, out var kept) ? [.. kept.Events.Reverse()] : [];
    }

    /// <summary>How many since the start, by reason.</summary>
    public long Count(RefusalReason reason)
    {
        lock (_lock) return _counts[(int)reason];
    }

    private sealed class Kept
    {
        public Queue<RefusedEvent> Events { get; } = new(KeptMax);
        public DateTimeOffset? LoggedAt { get; set; }
        public long Unlogged { get; set; }
    }
}
