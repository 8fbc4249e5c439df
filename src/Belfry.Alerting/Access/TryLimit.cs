namespace Belfry.Alerting.Access;

/// <summary>
/// Bounds tries per key (an account, an address): so many in a window that starts with the first one. A try counts before its outcome
/// is known, so that tries side by side cannot slip through. Any thread.
/// </summary>
/// <param name="triesMax">The next one in the window is refused.</param>
/// <param name="window">How long after the first try the count starts anew.</param>
/// <param name="keysMax">Most keys held; past it the one whose window ends first is forgotten.</param>
public sealed class TryLimit(int triesMax, TimeSpan window, int keysMax = 10_000)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Tries, DateTimeOffset EndsAt)> _windows = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Null: go on, the try is counted. Else how long to wait.</summary>
    public TimeSpan? Begin(string key, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!_windows.TryGetValue(key, out var state) || state.EndsAt <= now)
            {
                if (_windows.Count >= keysMax) MakeRoom_NeedsLock(now);
                state = (0, now + window);
            }

            if (state.Tries >= triesMax) return state.EndsAt - now;
            _windows[key] = state with { Tries = state.Tries + 1 };
            return null;
        }
    }

    /// <summary>The try was good: the key starts anew.</summary>
    public void Succeeded(string key)
    {
        lock (_lock) _windows.Remove(key);
    }

    private void MakeRoom_NeedsLock(DateTimeOffset now)
    {
        foreach (var key in _windows.Where(pair => pair.Value.EndsAt <= now).Select(pair => pair.Key).ToList()) _windows.Remove(key);
        if (_windows.Count >= keysMax) _windows.Remove(_windows.MinBy(pair => pair.Value.EndsAt).Key);
    }
}
