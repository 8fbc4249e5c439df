namespace Belfry.Deliveries;

/// <summary>The breakers of one channel by endpoint, at most so many. Safe for use by several owners.</summary>
internal sealed class BreakerSet(BreakerOptions options, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _byEndpoint = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _byUse = new();
    private readonly long _startedAt = time.GetTimestamp();

    /// <summary>Leave to send to an endpoint, or null and how long to wait. A pass is ended exactly once.</summary>
    public BreakerPass? TryEnter(string endpoint, out TimeSpan wait)
    {
        lock (_lock)
        {
            var breaker = Use_NeedsLock(endpoint);
            return breaker.TryEnter(Now, out wait) is { } permit ? new BreakerPass(this, breaker, permit) : null;
        }
    }

    public int Count
    {
        get
        {
            lock (_lock) return _byUse.Count;
        }
    }

    /// <summary>True while an endpoint gets nothing, or a probe at most.</summary>
    public bool AnyOpen
    {
        get
        {
            lock (_lock) return _byUse.Any(entry => entry.Breaker.State != BreakerState.Closed);
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_startedAt);

    private CircuitBreaker Use_NeedsLock(string endpoint)
    {
        if (_byEndpoint.TryGetValue(endpoint, out var node))
        {
            _byUse.Remove(node);
        }
        else
        {
            if (_byUse.Count >= options.EndpointsMax)
            {
                _byEndpoint.Remove(_byUse.First!.Value.Endpoint);
                _byUse.RemoveFirst();
            }

            node = new LinkedListNode<Entry>(new Entry(endpoint, new CircuitBreaker(options)));
            _byEndpoint.Add(endpoint, node);
        }

        _byUse.AddLast(node);
        return node.Value.Breaker;
    }

    private sealed record Entry(string Endpoint, CircuitBreaker Breaker);

    /// <summary>Leave to send once. A forgotten breaker's passes end without effect.</summary>
    internal sealed class BreakerPass(BreakerSet set, CircuitBreaker breaker, BreakerPermit permit)
    {
        public void Ended(bool endpointAnswered)
        {
            lock (set._lock)
            {
                if (endpointAnswered) breaker.Succeeded(permit);
                else breaker.Failed(permit, set.Now);
            }
        }

        public void Cancelled()
        {
            lock (set._lock) breaker.Cancelled(permit);
        }
    }
}
