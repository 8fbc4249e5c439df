using System.Text.Json;
using System.Text.Json.Serialization;
using Belfry.Drill.Check;

namespace Belfry.Drill.Load;

internal enum LineKind { Invoke, Ok, Fail, Unknown, Fault, Healed, Fence, Read }

/// <summary>A line of <c>history.jsonl</c>. What does not belong to its kind is absent.</summary>
internal sealed record HistoryLine(long At, LineKind Kind)
{
    /// <summary>Of a request or a fault: joins its lines.</summary>
    public long? Number { get; init; }
    public string? Process { get; init; }
    public string? Node { get; init; }
    public Operation? Operation { get; init; }
    public string? Key { get; init; }
    public long? Value { get; init; }
    public long? DelayMs { get; init; }

    /// <summary>The HTTP status, or why there was none.</summary>
    public string? Answer { get; init; }
    public FaultKind? FaultKind { get; init; }
    public string? What { get; init; }
    public string? Scope { get; init; }
    public long? WallMs { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(HistoryLine))]
[JsonSerializable(typeof(Receipt))]
[JsonSerializable(typeof(FinalState))]
internal sealed partial class HistoryJson : JsonSerializerContext;

/// <summary>What is there at the end, as <c>read.json</c> keeps it.</summary>
internal sealed record FinalState(
    IReadOnlyList<ReadIncident> Incidents, IReadOnlyList<LoggedEntry> Log, IReadOnlyList<Notice> Notifications,
    IReadOnlyList<Notice> DeadLetters);

/// <summary>Writes a history as it happens. Any thread.</summary>
internal sealed class HistoryWriter : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly DrillClock _clock;
    private readonly StreamWriter _file;
    private long _numbers;

    public HistoryWriter(string path, DrillClock clock)
    {
        (_clock, _file) = (clock, new StreamWriter(path));
        Write(new HistoryLine(0, LineKind.Read) { What = "clock", WallMs = clock.StartedAt.ToUnixTimeMilliseconds() });
    }

    public long Invoke(string process, string node, Operation operation, string key, long value, long? delayMs = null)
    {
        var number = Interlocked.Increment(ref _numbers);
        Write(new HistoryLine(_clock.NowNs, LineKind.Invoke)
        {
            Number = number, Process = process, Node = node, Operation = operation, Key = key, Value = value, DelayMs = delayMs,
        });
        return number;
    }

    public void End(long number, Outcome outcome, string answer) => Write(new HistoryLine(_clock.NowNs, outcome switch
    {
        Outcome.Ok => LineKind.Ok,
        Outcome.Fail => LineKind.Fail,
        _ => LineKind.Unknown,
    }) { Number = number, Answer = answer });

    /// <returns>Its number, to say later that it is healed.</returns>
    public long Break(FaultKind kind, string what)
    {
        var number = Interlocked.Increment(ref _numbers);
        Write(new HistoryLine(_clock.NowNs, LineKind.Fault) { Number = number, FaultKind = kind, What = what });
        return number;
    }

    public void Heal(long number) => Write(new HistoryLine(_clock.NowNs, LineKind.Healed) { Number = number });

    /// <summary>A fault of another history of the same time.</summary>
    public void Add(Fault fault)
    {
        var number = Interlocked.Increment(ref _numbers);
        Write(new HistoryLine(fault.FromNs, LineKind.Fault) { Number = number, FaultKind = fault.Kind, What = fault.What });
        if (fault.Kind != FaultKind.Crash) Write(new HistoryLine(fault.ToNs, LineKind.Healed) { Number = number });
    }

    public void Fence(string scope, string source, long value) =>
        Write(new HistoryLine(_clock.NowNs, LineKind.Fence) { Scope = scope, What = source, Value = value });

    /// <summary>The final read begins.</summary>
    public void Read() => Write(new HistoryLine(_clock.NowNs, LineKind.Read) { What = "final read" });

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private void Write(HistoryLine line)
    {
        var text = JsonSerializer.Serialize(line, HistoryJson.Default.HistoryLine);
        lock (_lock) _file.WriteLine(text);
    }
}
