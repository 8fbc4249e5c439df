namespace Belfry.Log;

/// <summary>One record in the lanes: its place in the ledger, its lane and its attempts.</summary>
internal sealed class LaneEntry(LogRecord record, string? laneKey, long ticket)
{
    /// <summary>No ticket: the record came from the store, its offset was done before.</summary>
    public const long NoTicket = -1;

    public LogRecord Record => record;

    /// <summary>Null: bound to no other record.</summary>
    public string? LaneKey => laneKey;

    public long Ticket => ticket;
    public int Attempts { get; set; }
    public DateTimeOffset DueAt { get; set; }
    public string Reason { get; set; } = "";

    /// <summary>Its row is in the store, or on the way there; the row must be removed once the record is done.</summary>
    public bool IsParked { get; set; }

    // The core's own fields.
    internal Lane? Lane { get; set; }
    internal LaneEntry? Next { get; set; }
    internal LaneEntry? RunsBefore { get; set; }
    internal LaneEntry? RunsAfter { get; set; }
    internal bool IsRunning { get; set; }

    /// <summary>Once its row is durable it waits for its due time; false for one that only waits behind another.</summary>
    internal bool WaitsOnceParked { get; set; }
    internal DateTimeOffset RunsUntil { get; set; }

    // The owner's own field: cancels the handler's call.
    internal CancellationTokenSource? Call { get; set; }

    public ParkedRecord ToParked(string group) => new()
    {
        Group = group, Record = record, LaneKey = laneKey ?? "", Attempts = Attempts, DueAt = DueAt, Reason = Reason,
    };
}

/// <summary>The records of one key that are here and not done; the first one runs or waits.</summary>
internal sealed class Lane(string? key)
{
    public string? Key => key;
    public LaneEntry? First { get; private set; }
    public LaneEntry? Last { get; private set; }
    public bool IsReady { get; set; }

    /// <summary>The head runs, waits for its retry, or is being put aside: the lane starts nothing.</summary>
    public bool IsHeld { get; set; }

    public void Add(LaneEntry entry)
    {
        entry.Lane = this;
        if (Last is null) First = entry;
        else Last.Next = entry;
        Last = entry;
    }

    public void RemoveFirst()
    {
        var entry = First!;
        First = entry.Next;
        if (First is null) Last = null;
        entry.Next = null;
        entry.Lane = null;
    }
}
