namespace Belfry.Log;

/// <summary>How a hint is written.</summary>
public enum HintKind
{
    /// <summary>Takes the place of the key's value.</summary>
    Value,

    /// <summary>The key's value if it has none; else nothing happens.</summary>
    FirstValue,

    /// <summary>The newest entry of the key's list; what is over <see cref="Hint.EntriesMax"/> goes.</summary>
    Entry,

    /// <summary>Changes how long the key is kept from now on, and not what it holds; nothing happens to a key that is not there.</summary>
    Expiry,
}

/// <summary>One thing worth remembering for a while. A key holds a value or a list, never both.</summary>
public sealed record Hint
{
    public const int BytesMax = 32_768;
    public const int KeyCharactersMax = 200;
    public const int ListEntriesMax = 1_000;

    public required HintKind Kind { get; init; }

    /// <summary>1 to 200 printable ASCII characters.</summary>
    public required string Key { get; init; }

    /// <summary>At most 32,768 bytes, none of an <see cref="HintKind.Expiry"/>. Not changed after they were given.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The key goes so long after it was last written. 1 ms to 30 days.</summary>
    public required TimeSpan KeptFor { get; init; }

    /// <summary>Of an <see cref="HintKind.Entry"/>: most entries of the list, 1 to 1,000.</summary>
    public int EntriesMax { get; init; } = 1;

    /// <exception cref="ArgumentException">A property is out of its bounds. Not retryable.</exception>
    public void Validate()
    {
        if (Key is not { Length: > 0 and <= KeyCharactersMax } || Key.Any(c => c is <= ' ' or >= '\x7f'))
            throw new ArgumentException($"A hint's key is 1 to {KeyCharactersMax} printable ASCII characters, not '{Key}'.");
        if (Bytes.Length > BytesMax)
            throw new ArgumentException($"Hint '{Key}' has {Bytes.Length} of at most {BytesMax} bytes; keep what is larger in a store.");
        if (Kind == HintKind.Expiry && Bytes.Length > 0)
            throw new ArgumentException($"Hint '{Key}' only changes how long the key is kept; it cannot have {Bytes.Length} bytes.");
        if (KeptFor < TimeSpan.FromMilliseconds(1) || KeptFor > TimeSpan.FromDays(30))
            throw new ArgumentException($"Hint '{Key}' is to be kept for {KeptFor}, it must be 1 ms to 30 days.");
        if (EntriesMax is < 1 or > ListEntriesMax)
            throw new ArgumentException($"The list '{Key}' is to have {EntriesMax} entries, it must be 1 to {ListEntriesMax}.");
    }
}

/// <summary>
/// The seam of hints: small values and short lists by key, shared by all processes or by one, that may be forgotten at any time. What
/// must last is in a store. Never throws for being unreachable: that is an answer. Safe for use by several threads. Implementations:
/// memory, Redis (<c>Belfry.Redis</c>); <c>HintStoreSpec</c> in Belfry.Testing runs over all.
/// </summary>
public interface IHintStore
{
    /// <summary>Writes all; those of one key in their order.</summary>
    /// <returns>False: not reachable, or refused; any of them may have been written.</returns>
    /// <exception cref="ArgumentException">See <see cref="Hint.Validate"/>; nothing was written.</exception>
    ValueTask<bool> WriteAsync(IReadOnlyList<Hint> hints, CancellationToken cancel);

    /// <summary>One answer a key, in order; null for a key without a value. Null in all: not reachable.</summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>?> ValuesAsync(IReadOnlyList<string> keys, CancellationToken cancel);

    /// <summary>
    /// The newest entries of a list, newest first, at most <paramref name="max"/>; empty when there is none. Null: not reachable.
    /// </summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> EntriesAsync(string key, int max, CancellationToken cancel);
}
