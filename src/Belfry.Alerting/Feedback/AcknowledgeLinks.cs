using Belfry.Alerting.Incidents;

namespace Belfry.Alerting.Feedback;

/// <summary>What an acknowledge link says.</summary>
/// <param name="IncidentId">Of which incident.</param>
/// <param name="ServiceId">Whose owner takes the command.</param>
/// <param name="Epoch">The incident's epoch when the link was sent: it acts only while nothing newer has acknowledged.</param>
/// <param name="UserId">For whom it acts.</param>
/// <param name="ExpiresAt">From then on it is refused; whole seconds.</param>
public sealed record AcknowledgeTicket(IncidentId IncidentId, ServiceId ServiceId, long Epoch, UserId UserId, DateTimeOffset ExpiresAt);

/// <summary>What a link turned out to be.</summary>
public abstract record LinkCheck
{
    private LinkCheck()
    {
    }

    /// <summary>Ours and in time.</summary>
    public sealed record Valid(AcknowledgeTicket Ticket) : LinkCheck;

    /// <summary>Ours, but too old.</summary>
    public sealed record Expired(AcknowledgeTicket Ticket) : LinkCheck;

    /// <summary>Not ours, altered, or signed with another key.</summary>
    public sealed record Forged : LinkCheck;
}

/// <summary>Signs and checks the links by which a mail's reader acknowledges. Acting needs a POST: mail scanners follow links.</summary>
public sealed class AcknowledgeLinks
{
    /// <summary>7 days.</summary>
    public static TimeSpan Lifetime { get; } = TimeSpan.FromDays(7);

    /// <param name="key">At least 32 bytes.</param>
    public AcknowledgeLinks(ReadOnlySpan<byte> key) => throw new NotSupportedException($"{key.Length}");

    /// <summary>A token of URL-safe characters for the path of a link: <c>/ack/{token}</c>.</summary>
    public string Sign(IncidentId incident, ServiceId service, long epoch, UserId user, DateTimeOffset now) => throw new NotSupportedException();

    /// <summary>Reads a token, whatever it holds; never throws.</summary>
    public LinkCheck Verify(string token, DateTimeOffset now) => throw new NotSupportedException();

    /// <summary>The command that a valid link gives: the same for each click, so a repeat acts once.</summary>
    public static IncidentCommand CommandOf(AcknowledgeTicket ticket, DateTimeOffset now) => throw new NotSupportedException();
}
