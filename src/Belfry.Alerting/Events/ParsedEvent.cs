using Belfry.Alerting.Catalog;

namespace Belfry.Alerting.Events;

/// <summary>Which of the two inlets a body came through.</summary>
public enum EventKind { Alert, Change }

/// <summary>What a body came to.</summary>
public abstract record ParsedEvent
{
    private ParsedEvent()
    {
    }

    /// <summary>Checked and normalised.</summary>
    public sealed record Accepted(AlertEvent Event, Integration Integration) : ParsedEvent;

    /// <summary>An object, but no event.</summary>
    /// <param name="Errors">All of them, 1 or more, in the order of the fields.</param>
    /// <param name="Integration">Whose routing key it carries; null when none is known.</param>
    /// <param name="DedupKey">As sent, for its owner to recognise it by.</param>
    /// <param name="Summary">As sent, likewise.</param>
    public sealed record Invalid(IReadOnlyList<string> Errors, Integration? Integration, string? DedupKey, string? Summary) : ParsedEvent;

    /// <summary>No JSON object in UTF-8, or nested deeper than <see cref="EventParser.DepthMax"/>.</summary>
    public sealed record Unrecognized : ParsedEvent;
}
