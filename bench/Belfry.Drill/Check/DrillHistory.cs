namespace Belfry.Drill.Check;

internal enum Operation { Trigger, Acknowledge, Resolve, Snooze }

/// <summary>
/// What a client knows of a request: <c>Unknown</c> is a timeout, a lost connection or a 5xx, and may take effect at any time.
/// </summary>
internal enum Outcome { Ok, Fail, Unknown }

/// <summary>One request of a client. Times are nanoseconds on the drill's monotonic clock.</summary>
/// <param name="Number">Unique in the history.</param>
/// <param name="Process">Its requests follow one another; keys belong to one process.</param>
/// <param name="Node">Instance and incarnation that it went to, as <c>n2/0</c>.</param>
/// <param name="Operation">What was asked for.</param>
/// <param name="Key">The dedup key.</param>
/// <param name="Value">Unique and growing per key; a repeat of an unanswered request has the same.</param>
/// <param name="InvokedNs">Before the first byte was sent.</param>
/// <param name="EndedNs">After the answer; <see cref="long.MaxValue"/> when there was none.</param>
/// <param name="Outcome">As the client saw it.</param>
/// <param name="DelayMs">Of a snooze: how long.</param>
/// <param name="Answer">The HTTP status, or why there was none.</param>
internal sealed record Attempt(
    long Number, string Process, string Node, Operation Operation, string Key, long Value, long InvokedNs, long EndedNs, Outcome Outcome,
    long DelayMs = 0, string Answer = "");

internal enum FaultKind
{
    /// <summary>A process was gone at once: what it had in flight at that moment may be done again.</summary>
    Crash,

    /// <summary>A process stood still: what it had in flight may be done by others meanwhile, and by itself when it goes on.</summary>
    Freeze,

    /// <summary>Something that others need was away for a while.</summary>
    Outage,

    /// <summary>The same, and nothing could go on anywhere meanwhile.</summary>
    Blackout,
}

internal sealed record Fault(long FromNs, long ToNs, FaultKind Kind, string What);

/// <summary>A call that the provider answered, on its disk before it answered.</summary>
/// <param name="BeginNs">The request was read.</param>
/// <param name="EndNs">The answer was about to be sent.</param>
/// <param name="NotificationId">The idempotency key's first part.</param>
/// <param name="IncidentId">Of the idempotency key.</param>
/// <param name="UserId">The recipient; of the idempotency key.</param>
/// <param name="Epoch">The incident's at planning; of the idempotency key.</param>
/// <param name="Title">The incident's, as the body has it: <c>key#value</c>.</param>
/// <param name="Status">What the provider answered.</param>
internal sealed record Receipt(
    long BeginNs, long EndNs, string NotificationId, string IncidentId, string UserId, long Epoch, string Title, int Status)
{
    public bool Accepted => Status is >= 200 and < 300;
}

/// <summary>An incident as the API has it at the end.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Number">Grows with each incident.</param>
/// <param name="Key">The first alert's dedup key.</param>
/// <param name="UserId">Whom its policy pages first.</param>
/// <param name="Title"><c>key#value</c> of the trigger that opened it.</param>
/// <param name="Status"><c>triggered</c>, <c>acknowledged</c> or <c>resolved</c>.</param>
/// <param name="Level">0: none.</param>
/// <param name="LevelDelaysMs">Of its policy, level by level.</param>
/// <param name="Entries">Its timeline, oldest first.</param>
internal sealed record ReadIncident(
    string Id, long Number, string Key, string UserId, string Title, string Status, int Level, IReadOnlyList<long> LevelDelaysMs,
    IReadOnlyList<ReadEntry> Entries);

/// <summary>A line of a timeline.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Type">As <c>trigger</c>, without a suffix.</param>
/// <param name="AtMs">UTC, milliseconds since 1970, by the instance's clock.</param>
/// <param name="Summary">One sentence.</param>
/// <param name="Level">Of assign and escalate.</param>
/// <param name="State">Of notify: <c>planned</c>, <c>sending</c>, <c>sent</c>, <c>dead</c>, …</param>
/// <param name="NotificationId">Of notify and skipped.</param>
/// <param name="UntilMs">Of snooze: when it ends.</param>
internal sealed record ReadEntry(
    string Id, string Type, long AtMs, string Summary, int? Level = null, string? State = null, string? NotificationId = null,
    long? UntilMs = null);

/// <summary>A record of <c>incident-log</c>, in the order of its partition.</summary>
internal sealed record LoggedEntry(int Partition, long Offset, string EntryId, string IncidentId);

/// <summary>A record of <c>notifications</c>, or with reason and attempts of <c>notifications-dlq</c>.</summary>
internal sealed record Notice(
    string NotificationId, string IncidentId, string UserId, string Channel, string BytesHash, string? Reason = null, int Attempts = 0);

/// <summary>What the store said of an owner's fence and position at a time.</summary>
internal sealed record FenceSample(long AtNs, string Scope, string Source, long Value);

/// <summary>All that is known of one drill: what clients did, what was broken, what the provider saw, what is there at the end.</summary>
internal sealed record DrillHistory
{
    public IReadOnlyList<Attempt> Attempts { get; init; } = [];
    public IReadOnlyList<Fault> Faults { get; init; } = [];
    public IReadOnlyList<Receipt> Receipts { get; init; } = [];
    public IReadOnlyList<ReadIncident> Incidents { get; init; } = [];
    public IReadOnlyList<LoggedEntry> Log { get; init; } = [];
    public IReadOnlyList<Notice> Notifications { get; init; } = [];
    public IReadOnlyList<Notice> DeadLetters { get; init; } = [];
    public IReadOnlyList<FenceSample> Fences { get; init; } = [];

    /// <summary>The wall clock, in milliseconds since 1970, when the monotonic one stood at 0.</summary>
    public long WallMsAtZero { get; init; }

    /// <summary>When the final read began.</summary>
    public long ReadAtNs { get; init; }

    public long WallMs(long ns) => WallMsAtZero + ns / 1_000_000;
}
