namespace Belfry.Log;

/// <summary>
/// How far one partition has been handed out, and how old what is not committed is: of each poll's records the first is noted, and when
/// there are many polls of every second, fourth, … one, so that the age may be too high by some polls and the memory is bounded. Not
/// thread-safe.
/// </summary>
internal sealed class HandedOut
{
    private const int NotesMax = 128;
    private readonly List<(long Offset, DateTimeOffset AppendedAt)> _notes = [];
    private int _stride = 1;
    private int _polls;

    /// <summary>The next offset to be handed out; null before the first record.</summary>
    public long? Position { get; private set; }

    public void Add(LogRecord first, LogRecord last)
    {
        Position = last.Offset + 1;
        if (_polls++ % _stride != 0) return;
        if (_notes.Count == NotesMax)
        {
            for (var at = NotesMax - 1; at > 0; at -= 2) _notes.RemoveAt(at);
            _stride *= 2;
        }

        _notes.Add((first.Offset, first.AppendedAt));
    }

    /// <summary>When the log took in the record at this offset, or one shortly before; null when all handed out is below it.</summary>
    public DateTimeOffset? AppendedAt(long? offset)
    {
        if (_notes.Count == 0) return null;
        var isBelow = offset >= Position;
        var at = _notes.Count - 1;
        while (at > 0 && _notes[at].Offset > offset.GetValueOrDefault(-1)) at--;
        // What is below the offset is not asked for again.
        _notes.RemoveRange(0, isBelow ? _notes.Count : at);
        if (_notes.Count <= 1) (_stride, _polls) = (1, 0);
        return isBelow ? null : _notes[0].AppendedAt;
    }
}
