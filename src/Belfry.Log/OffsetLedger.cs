namespace Belfry.Log;

/// <summary>
/// What of one partition is done out of order, and up to where all of it is: a ring of slots in the order of arrival. Completion is
/// O(1) by ticket, moving the low-water mark is amortised O(1), gaps between offsets are harmless. Not thread-safe.
/// Source: design section 5; line/decaton OutOfOrderCommitControl.
/// </summary>
public sealed class OffsetLedger(int slotsMax = 1 << 20)
{
    private const long DoneBit = long.MinValue;

    private long[] _slots = new long[16];
    private long _head;
    private long _tail;
    private long _next = -1;

    /// <summary>Slots in use: records not done, and those done behind one that is not.</summary>
    public int Count => (int)(_tail - _head);

    /// <summary>The next offset to commit: below it everything tracked is done. Null before the first record.</summary>
    public long? LowWaterMark => _head < _tail ? _slots[_head & (_slots.Length - 1)] & ~DoneBit : _next < 0 ? null : _next;

    /// <summary>Tracks a record and returns its ticket.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The offset is not above the last one tracked.</exception>
    /// <exception cref="InvalidOperationException">All slots are in use.</exception>
    public long Track(long offset)
    {
        if (offset < 0 || offset < _next)
            throw new ArgumentOutOfRangeException(nameof(offset), offset,
                $"Offset {offset} follows {_next - 1}; offsets of a partition grow.");
        if (Count == _slots.Length) Grow();
        _slots[_tail & (_slots.Length - 1)] = offset;
        _next = offset + 1;
        return _tail++;
    }

    /// <summary>Marks a record done. False for one marked before or never tracked: a late mark changes nothing.</summary>
    public bool Complete(long ticket)
    {
        if (ticket < _head || ticket >= _tail) return false;
        ref var slot = ref _slots[ticket & (_slots.Length - 1)];
        if ((slot & DoneBit) != 0) return false;
        slot |= DoneBit;
        while (_head < _tail && (_slots[_head & (_slots.Length - 1)] & DoneBit) != 0) _head++;
        return true;
    }

    private void Grow()
    {
        if (_slots.Length * 2L > slotsMax)
            throw new InvalidOperationException(
                $"The offset ledger holds {Count} of at most {slotsMax} records; " +
                $"lower {nameof(ConsumerOptions)}.{nameof(ConsumerOptions.HeldMax)}.");
        var grown = new long[_slots.Length * 2];
        for (var at = _head; at < _tail; at++) grown[at & (grown.Length - 1)] = _slots[at & (_slots.Length - 1)];
        _slots = grown;
    }
}
