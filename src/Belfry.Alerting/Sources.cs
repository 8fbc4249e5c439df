namespace Belfry.Alerting;

/// <summary>
/// Where new ids come from: the host gives UUIDv7 by its clock, tests a counter. Cores use none; they derive (<see cref="Id.Derive"/>).
/// </summary>
public sealed class IdSource(Func<Guid> next)
{
    /// <summary>A fresh id; any thread.</summary>
    public T Next<T>() where T : struct, IId<T> => T.Of(next());

    /// <summary>A fresh value; any thread.</summary>
    public Guid NextGuid() => next();
}

/// <summary>
/// Fills <paramref name="bytes"/> with what nobody can guess: <c>RandomNumberGenerator.Fill</c> in production, a seeded one in tests.
/// </summary>
public delegate void SecretSource(Span<byte> bytes);
