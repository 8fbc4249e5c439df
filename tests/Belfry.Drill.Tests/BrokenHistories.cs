using Belfry.Drill.Check;
using static Belfry.Drill.Tests.SoundHistory;

namespace Belfry.Drill.Tests;

/// <summary>Histories with one thing wrong, each with the word that the checker must use for it.</summary>
internal static class BrokenHistories
{
    public static IReadOnlyDictionary<string, (FindingKind Kind, Func<DrillHistory, DrillHistory> Break)> All { get; } =
        new Dictionary<string, (FindingKind, Func<DrillHistory, DrillHistory>)>
        {
            ["an accepted event is in no timeline"] = (
                FindingKind.Lost, h => h.Without(Repeating, line => line.Summary.EndsWith("a#2", StringComparison.Ordinal))),
            ["an accepted event opened no incident"] = (
                FindingKind.Lost, h => h with { Incidents = [.. h.Incidents.Where(i => i.Key != Undeliverable)] }),
            ["an accepted acknowledgement had no effect"] = (FindingKind.Lost, h => h.Without(Taken, line => line.Type == "acknowledge")),
            ["an accepted resolve had no effect"] = (FindingKind.Lost, h => h.Without(Taken, line => line.Type == "resolve")),
            ["an accepted snooze had no effect"] = (FindingKind.Lost, h => h.Without(Snoozed, line => line.Type == "snooze")),
            ["a page that counts as sent never came"] = (FindingKind.Lost, h => h.WithoutReceipts(Repeating)),
            ["nobody was told of an incident"] = (FindingKind.Lost, h => h.Without(Repeating, line => line.Type == "notify")),
            ["a refused event is there"] = (
                FindingKind.Phantom, h => h.WithAttempts(a => a.Key == Repeating && a.Value == 2, a => a with { Outcome = Outcome.Fail })),
            ["an event is there that nobody sent"] = (
                FindingKind.Phantom, h => h with { Attempts = [.. h.Attempts.Where(a => a.Key != Repeating || a.Value != 2)] }),
            ["an incident is there of a key that nobody sent"] = (
                FindingKind.Phantom, h => h with { Attempts = [.. h.Attempts.Where(a => a.Key != Undeliverable)] }),
            ["a page of no notification"] = (
                FindingKind.Phantom, h => h.WithReceipt(Repeating, page => page.Later(500) with { NotificationId = "invented" })),
            ["a page of no incident"] = (
                FindingKind.Phantom, h => h.WithReceipts(r => r.IncidentId == "i-a", page => page with { IncidentId = "i-none" })),
            ["a page with another incident's title"] = (
                FindingKind.Phantom, h => h.WithReceipts(r => r.IncidentId == "i-a", page => page with { Title = "b#1" })),
            ["an acknowledgement is there that nobody asked for"] = (
                FindingKind.Phantom,
                h => h.WithLines(Repeating, lines => [.. lines, lines[0] with { Id = "x", Type = "acknowledge" }])),
            ["a snooze ended before its time"] = (
                FindingKind.Early,
                h => h.WithLine(Snoozed, line => line.Type == "unacknowledge", line => line with { AtMs = WallAtZero + 5_509 })),
            ["the second page came before the client's own due time"] = (
                FindingKind.Early,
                h => h.WithReceipts(r => r.IncidentId == "i-c" && r.Epoch == 3, page => page.Later(-101))),
            ["a level was entered before the delay of the former"] = (
                FindingKind.Early,
                h => h.WithLine(Escalating, line => line.Type == "escalate", line => line with { AtMs = WallAtZero + 66_001 })),
            ["two pages of one person at the same time"] = (
                FindingKind.Overlap,
                h => h.WithReceipts(r => r.IncidentId == "i-a", page => page with { EndNs = 1_051_000_000 })),
            ["one page sent twice at the same time"] = (
                FindingKind.Overlap, h => h.WithReceipt(Unanswered, page => page.Later(2))),
            ["events of a key the other way round"] = (
                FindingKind.Misorder,
                h => h.WithLines(Repeating, lines => lines.Select(line => line.Type != "trigger" ? line
                    : line with { Summary = line.Summary.EndsWith('1') ? "Triggered: a#2" : "Triggered again: a#1" }))),
            ["pages of a person the other way round"] = (
                FindingKind.Misorder, h => h.WithReceipts(r => r.IncidentId == "i-a", page => page.Later(2_000))),
            ["a page of a former epoch came after one of a newer"] = (
                FindingKind.StaleWrite,
                h => h.WithReceipts(r => r.IncidentId == "i-c" && r.Epoch == 1, page => page.Later(2_700))),
            ["a position in the store went back"] = (
                FindingKind.StaleWrite,
                h => h with { Fences = [.. h.Fences, new FenceSample(3_000_000, "incidents", "incoming-events/0", 24)] }),
            ["an epoch in the store went back"] = (
                FindingKind.StaleWrite, h => h with { Fences = [.. h.Fences, new FenceSample(3_000_000, "incidents", "epoch/0", 1)] }),
            ["an incident has another status than its timeline"] = (
                FindingKind.FoldMismatch, h => h.WithIncident(Taken, incident => incident with { Status = "acknowledged" })),
            ["an incident is at another level than its timeline"] = (
                FindingKind.FoldMismatch, h => h.WithIncident(Escalating, incident => incident with { Level = 1 })),
            ["a timeline lacks a line of the log"] = (
                FindingKind.FoldMismatch,
                h => h.WithIncident(
                    Repeating, incident => incident with { Entries = [.. incident.Entries.Where(e => e.State != "sending")] })),
            ["a timeline has the log's lines in another order"] = (
                FindingKind.FoldMismatch,
                h => h with
                {
                    Log = [.. h.Log.Select(e => e.Offset is 2 or 3 ? e with { Offset = 5 - e.Offset } : e)],
                }),
            ["a line is folded twice"] = (
                FindingKind.FoldMismatch, h => h.WithLines(Repeating, lines => [.. lines, lines[^1]])),
            ["the log tells of an incident that is not there"] = (
                FindingKind.FoldMismatch, h => h with { Log = [.. h.Log, new LoggedEntry(1, 0, "other", "i-none")] }),
            ["an incident has another title than its first event"] = (
                FindingKind.FoldMismatch, h => h.WithIncident(Repeating, incident => incident with { Title = "a#2" })),
            ["a page was given up and is no dead letter"] = (FindingKind.DeadLetterImbalance, h => h with { DeadLetters = [] }),
            ["a dead letter of which no timeline tells"] = (
                FindingKind.DeadLetterImbalance,
                h => h.WithLine(Undeliverable, line => line.State == "dead", line => line with { State = "skipped" })),
            ["a dead letter with other bytes"] = (
                FindingKind.DeadLetterImbalance,
                h => h with { DeadLetters = [.. h.DeadLetters.Select(d => d with { BytesHash = "other" })] }),
            ["a dead letter without a reason"] = (
                FindingKind.DeadLetterImbalance, h => h with { DeadLetters = [.. h.DeadLetters.Select(d => d with { Reason = "" })] }),
            ["a dead letter that was never taken in"] = (
                FindingKind.DeadLetterImbalance,
                h => h with { DeadLetters = [.. h.DeadLetters, h.DeadLetters[0] with { NotificationId = "invented" }] }),
            ["a page both done and dead"] = (
                FindingKind.DeadLetterImbalance,
                h => h.WithReceipts(r => r.IncidentId == "i-e", page => page with { Status = 200 })),
            ["a notification without any end"] = (
                FindingKind.DeadLetterImbalance,
                h => h with { Notifications = [.. h.Notifications, h.Notifications[0] with { NotificationId = "forgotten" }] }),
            ["a planned page has no end"] = (
                FindingKind.Stuck, h => h.Without(Repeating, line => line.State is "sent" or "sending").WithoutReceipts(Repeating)),
            ["a snooze never ended"] = (
                FindingKind.Stuck,
                h => h.Without(Snoozed, line => line.Type == "unacknowledge")
                    .WithIncident(Snoozed, i => i with { Status = "acknowledged" })),
            ["a level was never left"] = (
                FindingKind.Stuck,
                h => h.Without(Escalating, line => line.Type == "escalate").WithIncident(Escalating, i => i with { Level = 1 })),
            ["a page came twice with no fault near"] = (
                FindingKind.Duplicate, h => h.WithReceipt(Repeating, page => page.Later(500))),
            ["a page came three times"] = (FindingKind.Duplicate, h => h.WithReceipt(Unanswered, page => page.Later(9_000))),
            ["a page came twice in a history without faults"] = (FindingKind.Duplicate, h => h with { Faults = [] }),
            ["an event is there twice, sent once"] = (
                FindingKind.Duplicate,
                h => h.WithLines(Repeating, lines => [.. lines, lines[0] with { Id = "x", Summary = "Triggered again: a#1" }])),
            ["a key has two incidents with every request answered"] = (
                FindingKind.Duplicate,
                h => h with { Incidents = [.. h.Incidents, h.Incidents[0] with { Id = "i-a2", Number = 99, Entries = [] }] }),
            ["a snooze ended twice"] = (
                FindingKind.Duplicate,
                h => h.WithLines(Snoozed, lines => [.. lines, lines.First(line => line.Type == "unacknowledge") with { Id = "x" }])),
            ["an incident was resolved twice, asked for once"] = (
                FindingKind.Duplicate,
                h => h.WithLines(Taken, lines => [.. lines, lines.First(line => line.Type == "resolve") with { Id = "x" }])),
            ["a page went out long after the acknowledgement"] = (
                FindingKind.PageAfterEnd, h => h.WithReceipts(r => r.IncidentId == "i-b", page => page.Later(8_000))),
            ["a level was skipped"] = (
                FindingKind.LevelSkipped, h => h.WithLine(Escalating, line => line.Type == "escalate", line => line with { Level = 3 })),
            ["a level was entered twice"] = (
                FindingKind.LevelSkipped,
                h => h.WithLines(Escalating, lines => [.. lines, lines.First(line => line.Type == "escalate") with { Id = "x" }])),
        };
}
