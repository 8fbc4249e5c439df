using System.Text;

namespace Belfry.Deliveries;

/// <summary>
/// An append-only file of hash-chained JSON lines, each flushed to disk before it counts. Every line's hash covers the line before, so
/// that a change, an insertion or a removal inside shows; cutting lines off the end shows only against a hash kept elsewhere.
/// </summary>
public sealed class AuditFile : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FileStream _file;
    private readonly int _keysMax;
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    private readonly Queue<string> _keysByAge = new();
    private long _sequence;
    private string _hash = AuditLine.Origin;
    private long _end;

    /// <summary>
    /// Opens or creates the file for this process alone, and checks all of it. What a crash left of a last line is cut off.
    /// </summary>
    /// <exception cref="InvalidDataException">A line is damaged. Not retryable: keep the file, and start another.</exception>
    /// <exception cref="IOException">The file is in use or cannot be read.</exception>
    public AuditFile(string path, int keysMax = 100_000)
    {
        _keysMax = keysMax;
        // Unbuffered, so that a failed write leaves nothing behind in memory.
        _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            foreach (var (entry, end) in Read(_file, path)) Took(entry, end);
            _file.SetLength(_end);
            _file.Position = _end;
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>The newest line's hash: kept elsewhere, it seals all lines so far.</summary>
    public string Hash
    {
        get
        {
            lock (_lock) return _hash;
        }
    }

    /// <summary>Appends one line and flushes it to disk. False: the key is among the newest known, and nothing was added.</summary>
    /// <exception cref="IOException">Nothing was added. Retryable.</exception>
    public bool Append(string key, string recipient, ReadOnlyMemory<byte> content, DateTimeOffset at)
    {
        lock (_lock)
        {
            if (_keys.Contains(key)) return false;
            var entry = new AuditLine
            {
                Sequence = _sequence + 1, At = at, Key = key, Recipient = recipient, Content = content, Previous = _hash, Hash = "",
            }.Sealed();
            var line = Encoding.UTF8.GetBytes(entry.ToLine() + "\n");
            // What a failed append left of its line is cut off here by the next one, or at the next opening.
            _file.SetLength(_end);
            _file.Position = _end;
            _file.Write(line);
            _file.Flush(flushToDisk: true);
            Took(entry, _end + line.Length);
            return true;
        }
    }

    /// <summary>The lines of a file in order.</summary>
    /// <exception cref="InvalidDataException">A line is damaged, named by its number.</exception>
    public static IEnumerable<AuditLine> ReadAll(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        foreach (var (entry, _) in Read(file, path)) yield return entry;
    }

    public void Dispose() => _file.Dispose();

    private void Took(AuditLine entry, long end)
    {
        (_sequence, _hash, _end) = (entry.Sequence, entry.Hash, end);
        if (_keys.Add(entry.Key)) _keysByAge.Enqueue(entry.Key);
        while (_keysByAge.Count > _keysMax) _keys.Remove(_keysByAge.Dequeue());
    }

    private static IEnumerable<(AuditLine Entry, long End)> Read(FileStream file, string path)
    {
        var (sequence, hash) = (0L, AuditLine.Origin);
        foreach (var (line, end) in Lines(file))
        {
            var entry = Parse(line, path, sequence + 1);
            if (entry.FaultAfter(sequence, hash) is { } fault) throw Damaged(path, sequence + 1, fault);
            (sequence, hash) = (entry.Sequence, entry.Hash);
            yield return (entry, end);
        }
    }

    /// <summary>Whole lines only: one without its line feed was never acknowledged.</summary>
    private static IEnumerable<(byte[] Line, long End)> Lines(FileStream file)
    {
        using var line = new MemoryStream();
        var buffer = new byte[64 * 1024];
        var at = 0L;
        for (var count = file.Read(buffer); count > 0; count = file.Read(buffer))
        {
            for (var from = 0; from < count;)
            {
                var feed = Array.IndexOf(buffer, (byte)'\n', from, count - from);
                var upTo = feed < 0 ? count : feed;
                line.Write(buffer, from, upTo - from);
                from = upTo + 1;
                if (feed < 0) break;
                at += line.Length + 1;
                yield return (line.ToArray(), at);
                line.SetLength(0);
            }
        }
    }

    private static AuditLine Parse(byte[] line, string path, long number)
    {
        try
        {
            return ContentJson.Read(line, ContentJson.Default.AuditLine);
        }
        catch (FormatException malformed)
        {
            throw Damaged(path, number, malformed.Message);
        }
    }

    private static InvalidDataException Damaged(string path, long number, string fault) =>
        new($"Audit file '{path}' is damaged at line {number}: {fault}. Keep it for inspection and configure another path.");
}
