namespace Belfry.Sqlite;

/// <summary>Settings of the embedded log.</summary>
public sealed record SqliteLogOptions
{
    /// <summary>
    /// Newest records of each partition kept in memory, so that consumers that keep up never read the disk. Default 2,048.
    /// </summary>
    public int TailRecordsMax { get; init; } = 2_048;

    /// <summary>Most bytes of values in the memory of one partition. Default 1 MiB.</summary>
    public long TailBytesMax { get; init; } = 1 << 20;

    /// <summary>A poll from the disk stops after this many bytes of values, with one record at least. Default 16 MiB.</summary>
    public long PollBytesMax { get; init; } = 16 << 20;

    /// <exception cref="ArgumentException">A bound is below 1; names all that are.</exception>
    internal void Validate()
    {
        var faults = new List<string>();
        if (TailRecordsMax < 1) faults.Add($"{nameof(TailRecordsMax)} is {TailRecordsMax}, at least 1 is needed");
        if (TailBytesMax < 1) faults.Add($"{nameof(TailBytesMax)} is {TailBytesMax}, at least 1 is needed");
        if (PollBytesMax < 1) faults.Add($"{nameof(PollBytesMax)} is {PollBytesMax}, at least 1 is needed");
        if (faults.Count > 0) throw new ArgumentException($"SqliteLogOptions: {string.Join("; ", faults)}.");
    }
}
