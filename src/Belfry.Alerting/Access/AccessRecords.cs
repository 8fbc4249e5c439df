namespace Belfry.Alerting.Access;

/// <summary>A person signed in at a browser.</summary>
/// <param name="Id">Names it in lists; opens nothing.</param>
/// <param name="UserId">Who.</param>
/// <param name="CreatedAt">Sign-in.</param>
/// <param name="SeenAt">Last request, to the minute.</param>
/// <param name="Address">Where the sign-in came from.</param>
/// <param name="Agent">The browser's own name, at most 200 characters.</param>
public sealed record Session(Guid Id, UserId UserId, DateTimeOffset CreatedAt, DateTimeOffset SeenAt, string Address, string Agent)
{
    /// <summary>12 hours without a request end a session.</summary>
    public static TimeSpan IdleMax { get; } = TimeSpan.FromHours(12);

    /// <summary>7 days end it in any case.</summary>
    public static TimeSpan AgeMax { get; } = TimeSpan.FromDays(7);

    /// <summary>How stale <see cref="SeenAt"/> may be, so that not every request writes.</summary>
    internal static TimeSpan SeenStep { get; } = TimeSpan.FromMinutes(1);

    public bool IsOpenAt(DateTimeOffset now) => now - SeenAt < IdleMax && now - CreatedAt < AgeMax;
}

/// <summary>What an API token may do; a role limits it further.</summary>
public enum TokenScope { Read, Write }

/// <summary>An API token without its secret.</summary>
/// <param name="Id">Names it in lists; opens nothing.</param>
/// <param name="UserId">For whom it acts, with that person's role.</param>
/// <param name="Name">1 to 100 characters.</param>
/// <param name="Prefix">First characters of the secret.</param>
/// <param name="Scope">What it may do.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ExpiresAt">Null: never.</param>
/// <param name="UsedAt">Last use, to the minute.</param>
/// <param name="RevokedAt">From then on it opens nothing.</param>
public sealed record ApiToken(
    Guid Id, UserId UserId, string Name, string Prefix, TokenScope Scope, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    DateTimeOffset? UsedAt, DateTimeOffset? RevokedAt)
{
    internal static TimeSpan UsedStep { get; } = TimeSpan.FromMinutes(1);

    public bool IsOpenAt(DateTimeOffset now) => RevokedAt is null && (ExpiresAt is null || now < ExpiresAt);
}

/// <summary>A one-time link by which somebody sets a password: a person by invitation, or, without one, the first administrator.</summary>
public sealed record Invitation(UserId? UserId, DateTimeOffset ExpiresAt);
