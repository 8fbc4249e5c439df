using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// The handlers of one partition that run, oldest first, for stall detection; as many as the core lets run. Not thread-safe.
/// </summary>
internal sealed class RunningHandlers
{
    private readonly LinkedList<DateTimeOffset> _began = [];
    private readonly Dictionary<long, LinkedListNode<DateTimeOffset>> _bySequence = [];
    private long _completed;

    public OwnerActivity Activity =>
        new() { Running = _began.Count, RunningSince = _began.First?.Value, Completed = _completed };

    public void Began(long sequence, DateTimeOffset at) => _bySequence.Add(sequence, _began.AddLast(at));

    /// <summary>It came back, whatever it said.</summary>
    public void Ended(long sequence)
    {
        if (!_bySequence.Remove(sequence, out var began)) return;
        _began.Remove(began);
        _completed++;
    }
}
