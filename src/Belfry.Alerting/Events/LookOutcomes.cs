using System.Numerics;

namespace Belfry.Alerting.Events;

/// <summary>
/// Whether a store that is asked over and over counts as away: it refused, or was late too often of late. Once away it is away until
/// it answers. Pure; for one thread at a time.
/// </summary>
internal sealed class LookOutcomes
{
    /// <summary>Of so many answers that were told last,</summary>
    private const int Window = 10;

    /// <summary>so many late ones are a store that is away, not slow.</summary>
    private const int LateMax = 5;

    // A bit each, 1 for late; the newest is the lowest.
    private uint _late;

    public bool IsAway { get; private set; }

    public void Answered()
    {
        _late <<= 1;
        IsAway = false;
    }

    public void Late()
    {
        _late = (_late << 1 | 1) & ((1u << Window) - 1);
        IsAway |= BitOperations.PopCount(_late) >= LateMax;
    }

    public void Refused() => IsAway = true;

    /// <summary>What was known is too old to go by.</summary>
    public void Forget() => (_late, IsAway) = (0, false);
}
