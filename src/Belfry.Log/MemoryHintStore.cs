namespace Belfry.Log;

/// <summary>Settings of the hints in memory.</summary>
public sealed record MemoryHintStoreOptions
{
    /// <summary>
    /// Most bytes held, some 100 for each key and entry counted with them; past it the key goes that was written longest ago. Default
    /// 32 MiB.
    /// </summary>
    public long BytesMax { get; init; } = 32 << 20;
}

/// <summary>The hints of one process. They go with it.</summary>
public sealed class MemoryHintStore(MemoryHintStoreOptions options, TimeProvider time) : IHintStore
{
    private const int OverheadBytes = 100;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Held>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<Held> _byAge = new();
    private readonly long _startedAt = time.GetTimestamp();
    private long _bytes;

    /// <summary>Bytes held, expired ones that nobody asked for included.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _bytes;
        }
    }

    public ValueTask<bool> WriteAsync(IReadOnlyList<Hint> hints, CancellationToken cancel)
    {
        foreach (var hint in hints) hint.Validate();
        lock (_lock)
            foreach (var hint in hints)
                Write_NeedsLock(hint);
        return new(true);
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>?> ValuesAsync(IReadOnlyList<string> keys, CancellationToken cancel)
    {
        lock (_lock) return new([.. keys.Select(key => Find_NeedsLock(key)?.Value.Entries.Last?.Value)]);
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> EntriesAsync(string key, int max, CancellationToken cancel)
    {
        lock (_lock) return new(Find_NeedsLock(key) is { } held ? [.. held.Value.Entries.Reverse().Take(max)] : []);
    }

    private TimeSpan Now => time.GetElapsedTime(_startedAt);

    private void Write_NeedsLock(Hint hint)
    {
        var node = Find_NeedsLock(hint.Key);
        if (hint.Kind == HintKind.Expiry)
        {
            if (node is not null) node.Value.Until = Now + hint.KeptFor;
            return;
        }

        if (node is not null && hint.Kind == HintKind.FirstValue) return;
        if (node is not null && hint.Kind == HintKind.Value)
        {
            Drop_NeedsLock(node);
            node = null;
        }

        if (node is null)
        {
            node = new LinkedListNode<Held>(new Held(hint.Key));
            _byKey.Add(hint.Key, node);
            _bytes += OverheadBytes;
        }
        else
        {
            _byAge.Remove(node);
        }

        var held = node.Value;
        _byAge.AddLast(node);
        held.Until = Now + hint.KeptFor;
        held.Entries.AddLast(hint.Bytes);
        _bytes += OverheadBytes + hint.Bytes.Length;
        for (; held.Entries.Count > hint.EntriesMax; held.Entries.RemoveFirst()) _bytes -= OverheadBytes + held.Entries.First!.Value.Length;
        while (_bytes > options.BytesMax && _byAge.First is { } oldest && oldest != node) Drop_NeedsLock(oldest);
    }

    private LinkedListNode<Held>? Find_NeedsLock(string key)
    {
        if (!_byKey.TryGetValue(key, out var node)) return null;
        if (node.Value.Until > Now) return node;
        Drop_NeedsLock(node);
        return null;
    }

    private void Drop_NeedsLock(LinkedListNode<Held> node)
    {
        _bytes -= OverheadBytes + node.Value.Entries.Sum(entry => OverheadBytes + (long)entry.Length);
        _byAge.Remove(node);
        _byKey.Remove(node.Value.Key);
    }

    /// <summary>A key's value, or its list, oldest first.</summary>
    private sealed class Held(string key)
    {
        public string Key { get; } = key;
        public LinkedList<ReadOnlyMemory<byte>> Entries { get; } = new();
        public TimeSpan Until { get; set; }
    }
}
