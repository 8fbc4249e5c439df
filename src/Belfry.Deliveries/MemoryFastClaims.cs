namespace Belfry.Deliveries;

/// <summary>Settings of the fast claims in memory.</summary>
public sealed record MemoryFastClaimsOptions
{
    /// <summary>Most keys held; past it the oldest goes, which costs a question to the store. Default 100,000.</summary>
    public int KeysMax { get; init; } = 100_000;

    /// <summary>How long a claim that was not completed holds. Default 10 min.</summary>
    public TimeSpan ProcessingFor { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a completed key is remembered. Default 24 h.</summary>
    public TimeSpan CompletedFor { get; init; } = TimeSpan.FromHours(24);
}

/// <summary>The fast claims of one process. They forget everything with it, and the oldest key when full.</summary>
public sealed class MemoryFastClaims(MemoryFastClaimsOptions options, TimeProvider time) : IFastClaims
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Held>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<Held> _byAge = new();
    private readonly long _startedAt = time.GetTimestamp();

    /// <summary>Keys held, expired ones that nobody asked for included.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _byAge.Count;
        }
    }

    public ValueTask<FastClaim> TryClaimAsync(string key, string owner, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (Find_NeedsLock(key) is { } held)
            {
                if (held.Completed) return new(FastClaim.Completed);
                if (held.Owner != owner) return new(FastClaim.HeldByOther);
            }

            Put_NeedsLock(new Held(key, owner, false, Now + options.ProcessingFor));
            return new(FastClaim.Claimed);
        }
    }

    public ValueTask<bool> CompleteAsync(string key, string owner, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (Find_NeedsLock(key) is not { } held || held.Owner != owner) return new(false);
            Put_NeedsLock(new Held(key, owner, true, Now + options.CompletedFor));
            return new(true);
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_startedAt);

    private Held? Find_NeedsLock(string key)
    {
        if (!_byKey.TryGetValue(key, out var node)) return null;
        if (node.Value.Until > Now) return node.Value;
        Drop_NeedsLock(node);
        return null;
    }

    private void Put_NeedsLock(Held held)
    {
        if (_byKey.TryGetValue(held.Key, out var old)) Drop_NeedsLock(old);
        while (_byAge.Count >= options.KeysMax) Drop_NeedsLock(_byAge.First!);
        _byKey.Add(held.Key, _byAge.AddLast(held));
    }

    private void Drop_NeedsLock(LinkedListNode<Held> node)
    {
        _byKey.Remove(node.Value.Key);
        _byAge.Remove(node);
    }

    private sealed record Held(string Key, string Owner, bool Completed, TimeSpan Until);
}
