using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
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

/// <summary>
/// Signs and checks the links by which a mail's reader acknowledges: HMAC-SHA256 over (incident, service, user, epoch, expiry). Acting
/// needs a POST, for mail scanners follow links. Safe for use by several threads.
/// </summary>
public sealed class AcknowledgeLinks
{
    private const byte Version = 1;
    private const int PayloadBytes = 1 + 16 + 16 + 16 + 8 + 8;
    private const int TokenBytes = PayloadBytes + HMACSHA256.HashSizeInBytes;
    private const int KeyBytesMin = 32;

    private readonly byte[] _key;

    /// <summary>7 days.</summary>
    public static TimeSpan Lifetime { get; } = TimeSpan.FromDays(7);

    /// <param name="key">At least 32 bytes.</param>
    /// <exception cref="ArgumentException">The key is shorter.</exception>
    public AcknowledgeLinks(ReadOnlySpan<byte> key)
    {
        if (key.Length < KeyBytesMin)
            throw new ArgumentException(
                $"The key of acknowledge links has {key.Length} bytes; at least {KeyBytesMin} random ones are needed.", nameof(key));

        // A key of its own: the same configured key may sign other things, which must never pass for a link.
        _key = HMACSHA256.HashData(key, "belfry acknowledge link 1"u8);
    }

    /// <summary>A token of URL-safe characters for the path of a link: <c>/ack/{token}</c>. The same input gives the same token.</summary>
    public string Sign(IncidentId incident, ServiceId service, long epoch, UserId user, DateTimeOffset now)
    {
        Span<byte> token = stackalloc byte[TokenBytes];
        token[0] = Version;
        incident.Value.TryWriteBytes(token[1..], bigEndian: true, out _);
        service.Value.TryWriteBytes(token[17..], bigEndian: true, out _);
        user.Value.TryWriteBytes(token[33..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(token[49..], epoch);
        BinaryPrimitives.WriteInt64BigEndian(token[57..], (now + Lifetime).ToUnixTimeSeconds());
        HMACSHA256.HashData(_key, token[..PayloadBytes], token[PayloadBytes..]);
        return Base64Url.EncodeToString(token);
    }

    /// <summary>
    /// Reads a token, whatever it holds; never throws. The signature is compared in constant time, and before the expiry.
    /// </summary>
    public LinkCheck Verify(string token, DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[TokenBytes];
        if (token.Length != Base64Url.GetEncodedLength(TokenBytes)
            || Base64Url.DecodeFromChars(token, bytes, out var read, out var written) != System.Buffers.OperationStatus.Done
            || read != token.Length || written != TokenBytes || bytes[0] != Version) return new LinkCheck.Forged();

        Span<byte> signature = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, bytes[..PayloadBytes], signature);
        if (!CryptographicOperations.FixedTimeEquals(signature, bytes[PayloadBytes..])) return new LinkCheck.Forged();

        // Spare bits of the last character are not signed: only the one form that was sent counts.
        if (Base64Url.EncodeToString(bytes) != token) return new LinkCheck.Forged();

        var ticket = new AcknowledgeTicket(
            new IncidentId(new Guid(bytes[1..17], bigEndian: true)), new ServiceId(new Guid(bytes[17..33], bigEndian: true)),
            BinaryPrimitives.ReadInt64BigEndian(bytes[49..57]), new UserId(new Guid(bytes[33..49], bigEndian: true)),
            DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(bytes[57..65])));
        return now < ticket.ExpiresAt ? new LinkCheck.Valid(ticket) : new LinkCheck.Expired(ticket);
    }

    /// <summary>The command that a valid link gives: the same id for each click, so a repeat acts once.</summary>
    public static IncidentCommand CommandOf(AcknowledgeTicket ticket, DateTimeOffset now) => new()
    {
        Id = Id.Derive<EventId>(ticket.IncidentId.Value, $"ack-link/{ticket.UserId}/{ticket.Epoch}"),
        ServiceId = ticket.ServiceId,
        IncidentId = ticket.IncidentId,
        Kind = CommandKind.Acknowledge,
        At = now,
        ActorId = ticket.UserId,
        Channel = "email",
        Epoch = ticket.Epoch,
    };
}
