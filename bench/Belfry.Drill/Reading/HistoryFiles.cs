using System.Text.Json;
using Belfry.Drill.Check;
using Belfry.Drill.Load;

namespace Belfry.Drill.Reading;

/// <summary>The files of one drill: what is checked is what they hold, so that any history can be checked again.</summary>
internal static class HistoryFiles
{
    public const string History = "history.jsonl", Receipts = "receipts.jsonl", Final = "read.json";

    public static DrillHistory Load(string folder)
    {
        var read = File.Exists(Path.Combine(folder, Final))
            ? JsonSerializer.Deserialize(File.ReadAllText(Path.Combine(folder, Final)), HistoryJson.Default.FinalState)!
            : new FinalState([], [], [], []);
        var history = new DrillHistory
        {
            Incidents = read.Incidents, Log = read.Log, Notifications = read.Notifications, DeadLetters = read.DeadLetters,
            Receipts = [.. LinesOf(folder, Receipts).Select(line => JsonSerializer.Deserialize(line, HistoryJson.Default.Receipt)!)],
        };
        return Fold(history, LinesOf(folder, History).Select(line => JsonSerializer.Deserialize(line, HistoryJson.Default.HistoryLine)!));
    }

    public static void Save(string folder, FinalState state, IEnumerable<Receipt> receipts)
    {
        File.WriteAllText(Path.Combine(folder, Final), JsonSerializer.Serialize(state, HistoryJson.Default.FinalState));
        File.WriteAllLines(
            Path.Combine(folder, Receipts), receipts.Select(receipt => JsonSerializer.Serialize(receipt, HistoryJson.Default.Receipt)));
    }

    /// <summary>Pairs the lines of requests and of faults. What has no second line was never answered, or never healed.</summary>
    internal static DrillHistory Fold(DrillHistory history, IEnumerable<HistoryLine> lines)
    {
        var attempts = new Dictionary<long, Attempt>();
        var faults = new Dictionary<long, Fault>();
        var fences = new List<FenceSample>();
        var (wall, readAt) = (0L, long.MaxValue);
        foreach (var line in lines)
        {
            var number = line.Number ?? 0;
            switch (line.Kind)
            {
                case LineKind.Invoke:
                    attempts[number] = new Attempt(
                        number, line.Process!, line.Node!, line.Operation!.Value, line.Key!, line.Value!.Value, line.At, long.MaxValue,
                        Outcome.Unknown, line.DelayMs ?? 0);
                    break;
                case LineKind.Ok or LineKind.Fail or LineKind.Unknown:
                    var outcome = line.Kind == LineKind.Ok ? Outcome.Ok : line.Kind == LineKind.Fail ? Outcome.Fail : Outcome.Unknown;
                    attempts[number] = attempts[number] with { EndedNs = line.At, Outcome = outcome, Answer = line.Answer ?? "" };
                    break;
                case LineKind.Fault:
                    faults[number] = new Fault(
                        line.At, line.FaultKind == FaultKind.Crash ? line.At : long.MaxValue, line.FaultKind!.Value, line.What!);
                    break;
                case LineKind.Healed:
                    faults[number] = faults[number] with { ToNs = line.At };
                    break;
                case LineKind.Fence:
                    fences.Add(new FenceSample(line.At, line.Scope!, line.What!, line.Value!.Value));
                    break;
                case LineKind.Read when line.WallMs is { } at: wall = at; break;
                case LineKind.Read: readAt = line.At; break;
            }
        }

        return history with
        {
            Attempts = [.. attempts.Values.OrderBy(attempt => attempt.InvokedNs)], Faults = [.. faults.Values], Fences = fences,
            WallMsAtZero = wall, ReadAtNs = readAt,
        };
    }

    private static IEnumerable<string> LinesOf(string folder, string name) =>
        File.Exists(Path.Combine(folder, name)) ? File.ReadLines(Path.Combine(folder, name)) : [];
}
