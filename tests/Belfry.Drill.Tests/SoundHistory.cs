using Belfry.Drill.Check;

namespace Belfry.Drill.Tests;

/// <summary>
/// A small drill that went well, in one killed and one frozen instance: an alert that repeats, one that is taken and resolved, one that is
/// snoozed and pages again, one that escalates, one whose page is a dead letter, and a page that a kill made come twice.
/// </summary>
internal static class SoundHistory
{
    public const long WallAtZero = 1_000_000_000_000;
    public const string Repeating = "a", Taken = "b", Snoozed = "c", Escalating = "d", Undeliverable = "e", Unanswered = "f";

    public static DrillHistory Make()
    {
        var build = new Builder();
        build.Trigger(Repeating, 1, atMs: 100).Incident(Repeating, "u1").Line("assign", level: 1).Paged(1, atMs: 150);
        build.Trigger(Repeating, 2, atMs: 200).Line("trigger", "Triggered again: a#2");
        build.Trigger(Taken, 1, atMs: 1_000).Incident(Taken, "u1").Line("assign", level: 1).Paged(1, atMs: 1_050);
        build.Send(Operation.Acknowledge, Taken, 2, atMs: 1_500).Line("acknowledge");
        build.Send(Operation.Resolve, Taken, 3, atMs: 2_000).Line("resolve").Ends("resolved", level: 1);
        build.Trigger(Snoozed, 1, atMs: 3_000).Incident(Snoozed, "u2").Line("assign", level: 1).Paged(1, atMs: 3_050);
        build.Send(Operation.Snooze, Snoozed, 2, atMs: 3_500, delayMs: 2_000).Line("acknowledge").Line("snooze", untilMs: 5_510);
        build.At(5_560).Line("unacknowledge").Line("assign", level: 1).Paged(3, atMs: 5_600);
        build.Trigger(Escalating, 1, atMs: 6_000).Incident(Escalating, "u3", 60_000, 60_000).Line("assign", level: 1).Paged(1, atMs: 6_050);
        build.At(66_020).Line("escalate", level: 2).Paged(2, atMs: 66_080, user: "u4").Ends("triggered", level: 2);
        build.Trigger(Undeliverable, 1, atMs: 70_000).Incident(Undeliverable, "u5").Line("assign", level: 1).Dead(1, atMs: 70_050);
        build.Trigger(Unanswered, 1, atMs: 71_000, Outcome.Unknown).Trigger(Unanswered, 1, atMs: 73_000)
            .Incident(Unanswered, "u2").Line("assign", level: 1).Line("trigger", "Triggered again: f#1").Paged(1, atMs: 73_050);
        build.Again(Unanswered, atMs: 76_000);
        return build.History() with
        {
            Faults =
            [
                new(73_055_000_000, 73_055_000_000, FaultKind.Crash, "kill n2"),
                new(80_000_000_000, 90_000_000_000, FaultKind.Freeze, "freeze n3"),
            ],
            Fences =
            [
                new(1_000_000, "incidents", "epoch/0", 1), new(2_000_000, "incidents", "epoch/0", 2),
                new(1_000_000, "incidents", "incoming-events/0", 10), new(2_000_000, "incidents", "incoming-events/0", 25),
            ],
        };
    }

    private sealed class Builder
    {
        private readonly List<Attempt> _attempts = [];
        private readonly List<Receipt> _receipts = [];
        private readonly List<Notice> _notices = [];
        private readonly List<Notice> _dead = [];
        private readonly List<LoggedEntry> _log = [];
        private readonly List<(ReadIncident Incident, List<ReadEntry> Entries)> _incidents = [];
        private long _nowMs;
        private int _ids;

        private (ReadIncident Incident, List<ReadEntry> Entries) Last => _incidents[^1];

        public Builder Send(Operation operation, string key, long value, long atMs, Outcome outcome = Outcome.Ok, long delayMs = 0)
        {
            _nowMs = atMs;
            _attempts.Add(new Attempt(
                ++_ids, "p-" + key, "n1/0", operation, key, value, atMs * 1_000_000,
                outcome == Outcome.Unknown ? long.MaxValue : (atMs + 5) * 1_000_000, outcome, delayMs));
            return this;
        }

        public Builder Trigger(string key, long value, long atMs, Outcome outcome = Outcome.Ok) =>
            Send(Operation.Trigger, key, value, atMs, outcome);

        public Builder Incident(string key, string user, params long[] delays)
        {
            _incidents.Add((new ReadIncident(
                "i-" + key, _incidents.Count + 1, key, user, key + "#1", "triggered", 1, delays is [] ? [1_800_000] : delays, []), []));
            return Line("trigger", $"Triggered: {key}#1");
        }

        public Builder At(long atMs)
        {
            _nowMs = atMs;
            return this;
        }

        public Builder Line(
            string type, string summary = "", int? level = null, string? state = null, string? notification = null, long? untilMs = null)
        {
            var (incident, entries) = Last;
            var id = $"line-{++_ids}";
            entries.Add(new ReadEntry(
                id, type, WallAtZero + _nowMs + 2, summary, level, state, notification, untilMs is { } until ? WallAtZero + until : null));
            _log.Add(new LoggedEntry(0, _log.Count, id, incident.Id));
            return this;
        }

        public Builder Ends(string status, int level)
        {
            _incidents[^1] = (Last.Incident with { Status = status, Level = level }, Last.Entries);
            return this;
        }

        public Builder Paged(long epoch, long atMs, string? user = null)
        {
            var id = Notify(epoch, user, "sent");
            Receive(id, epoch, atMs, user, 200);
            return this;
        }

        public Builder Dead(long epoch, long atMs)
        {
            var id = Notify(epoch, null, "dead");
            Receive(id, epoch, atMs, null, 404);
            _dead.Add(_notices[^1] with { Reason = "404", Attempts = 1 });
            return this;
        }

        public void Again(string key, long atMs)
        {
            var former = _receipts.Last(receipt => receipt.IncidentId == "i-" + key);
            _receipts.Add(former with { BeginNs = atMs * 1_000_000, EndNs = (atMs + 3) * 1_000_000 });
        }

        public DrillHistory History() => new()
        {
            Attempts = _attempts,
            Receipts = _receipts,
            Notifications = _notices,
            DeadLetters = _dead,
            Log = _log,
            Incidents = [.. _incidents.Select(pair => pair.Incident with { Entries = pair.Entries })],
            WallMsAtZero = WallAtZero,
            ReadAtNs = 100_000_000_000,
        };

        private string Notify(long epoch, string? user, string end)
        {
            var id = $"page-{++_ids}";
            _notices.Add(new Notice(id, Last.Incident.Id, user ?? Last.Incident.UserId, "webhook", "hash-" + id));
            foreach (var state in (string[])["planned", "sending", end]) Line("notify", "Notified.", state: state, notification: id);
            return id;
        }

        private void Receive(string id, long epoch, long atMs, string? user, int status) => _receipts.Add(new Receipt(
            atMs * 1_000_000, (atMs + 3) * 1_000_000, id, Last.Incident.Id, user ?? Last.Incident.UserId, epoch, Last.Incident.Title,
            status));
    }
}
