namespace Belfry.Log.Tests;

/// <summary>Plays commands against the lanes and holds them to what they promise.</summary>
internal sealed class LaneModel(bool ordered)
{
    private static readonly HandlerOutcome[] Outcomes =
    [
        HandlerOutcome.Success, HandlerOutcome.Success, new HandlerOutcome.Retry("short", TimeSpan.FromSeconds(1)),
        new HandlerOutcome.Retry("long", TimeSpan.FromSeconds(30)), new HandlerOutcome.DeadLetter("never"),
    ];

    private readonly LaneCore _core = new(
        new LaneOptions { Ordered = ordered, Credits = 3, Backoff = [.. Enumerable.Repeat(TimeSpan.FromSeconds(1), 3)] }, new Random(3));

    private readonly Queue<LaneEntry> _running = new();
    private readonly HashSet<long> _finished = [];
    private readonly Dictionary<string, long> _lastStarted = [];
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _offset;

    public static LogRecord Record(long offset, string? key) => new()
    {
        Source = new TopicPartition("t", 0), Offset = offset, AppendedAt = DateTimeOffset.UnixEpoch, Key = key, Value = default,
    };

    public void Play(byte[] commands)
    {
        foreach (var command in commands)
        {
            switch (command % 5)
            {
                case 0 or 1:
                    var key = $"k{command / 5 % 4}";
                    _core.Offer(Record(_offset, key), key, _offset++);
                    break;
                case 2:
                    StartOne();
                    break;
                case 3:
                    if (_running.TryDequeue(out var entry)) _core.Completed(entry, Outcomes[command / 5 % Outcomes.Length], _now);
                    break;
                default:
                    _now += TimeSpan.FromSeconds(command / 5 % 40);
                    _core.Tick(_now).ShouldBeSubsetOf(_running);
                    Confirm();
                    break;
            }

            TakeFinished();
        }

        RunOut();
    }

    /// <summary>In the end every record offered is finished, once.</summary>
    private void RunOut()
    {
        for (var round = 0; _finished.Count < _offset; round++)
        {
            round.ShouldBeLessThan(10_000, $"{_finished.Count} of {_offset} records finished");
            while (StartOne())
            {
            }

            while (_running.TryDequeue(out var entry)) _core.Completed(entry, HandlerOutcome.Success, _now);
            Confirm();
            TakeFinished();
            _now += TimeSpan.FromSeconds(1);
            _core.Tick(_now);
        }

        (_core.LaneCount, _core.ParkedCount, _core.Running).ShouldBe((0, 0, 0));
    }

    private bool StartOne()
    {
        if (_core.TryStart(_now) is not { } entry) return false;
        _running.Count.ShouldBeLessThan(3, "more run than there are credits");
        _running.Select(r => r.LaneKey).ShouldNotContain(entry.LaneKey, "two of a key run at once");
        _finished.ShouldNotContain(entry.Record.Offset, "a finished record runs again");
        if (ordered) _lastStarted.GetValueOrDefault(entry.LaneKey!, -1).ShouldBeLessThanOrEqualTo(entry.Record.Offset, "a key went back");
        _lastStarted[entry.LaneKey!] = entry.Record.Offset;
        _running.Enqueue(entry);
        return true;
    }

    private void Confirm()
    {
        foreach (var entry in _core.ToPark) _core.Parked(entry);
        _core.ToPark.Clear();
        foreach (var entry in _core.ToDeadLetter) _core.DeadLettered(entry);
        _core.ToDeadLetter.Clear();
    }

    private void TakeFinished()
    {
        foreach (var entry in _core.Finished) _finished.Add(entry.Record.Offset).ShouldBeTrue("a record finished twice");
        _core.Finished.Clear();
    }
}
