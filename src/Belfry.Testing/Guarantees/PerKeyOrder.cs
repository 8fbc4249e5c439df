namespace Belfry.Testing;

/// <summary>
/// Records of a key, numbered from 0, are begun in order: none for the first time before all earlier ones have ended at least once.
/// Repetitions of what has ended are allowed.
/// </summary>
public sealed class PerKeyOrder : Guarantee
{
    private readonly Dictionary<string, long> _ended = new(StringComparer.Ordinal);

    public void Started(string key, long number)
    {
        var next = _ended.GetValueOrDefault(key);
        if (number > next) Violated($"'{key}' {number} began while {next} had not ended");
    }

    /// <summary>The record is over: handled, or put aside for good.</summary>
    public void Ended(string key, long number)
    {
        if (number == _ended.GetValueOrDefault(key)) _ended[key] = number + 1;
    }
}
