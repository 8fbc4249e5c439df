using Belfry.Log;

namespace Belfry.Deliveries;

/// <summary>A send of this owner whose outcome is decided, or lost, but not settled yet.</summary>
internal sealed record OpenSend(DeliveryClaim Claim, DeliveryRow Row, SendOutcome Outcome);

/// <summary>
/// What one owner knows of its keys beyond the store: which run now, and which were sent without being settled. A row that is
/// SENDING under this owner's epoch and is neither was claimed and never sent. Bounded by the records the lanes hold.
/// </summary>
internal sealed class OpenDeliveries
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, OpenSend> _open = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Offset, int Attempt)> _inDoubt = new(StringComparer.Ordinal);

    /// <summary>False: another record with the same key runs.</summary>
    public bool TryStart(string key)
    {
        lock (_lock) return _running.Add(key);
    }

    public void Stop(string key)
    {
        lock (_lock) _running.Remove(key);
    }

    public void Keep(OpenSend open)
    {
        lock (_lock) _open[open.Claim.Delivery.IdempotencyKey] = open;
    }

    public OpenSend? Find(string key)
    {
        lock (_lock) return _open.GetValueOrDefault(key);
    }

    /// <summary>A claim went over an attempt of a former owner, whose outcome nobody knows.</summary>
    public void Doubt(DeliveryClaim claim, int attempt)
    {
        lock (_lock) _inDoubt[claim.Delivery.IdempotencyKey] = (claim.Record.Offset, attempt);
    }

    /// <summary>That attempt, until the key is settled: null when there is none.</summary>
    public int? InDoubt(string key)
    {
        lock (_lock) return _inDoubt.TryGetValue(key, out var doubt) ? doubt.Attempt : null;
    }

    public void Settled(string key)
    {
        lock (_lock)
        {
            _open.Remove(key);
            _inDoubt.Remove(key);
        }
    }

    /// <summary>The record left the lanes by another way.</summary>
    public void Forget(LogRecord record)
    {
        lock (_lock)
        {
            foreach (var key in _open.Where(o => o.Value.Claim.Record.Offset == record.Offset).Select(o => o.Key).ToList())
                _open.Remove(key);
            foreach (var key in _inDoubt.Where(d => d.Value.Offset == record.Offset).Select(d => d.Key).ToList()) _inDoubt.Remove(key);
        }
    }
}
