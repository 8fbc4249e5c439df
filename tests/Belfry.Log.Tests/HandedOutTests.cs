namespace Belfry.Log.Tests;

public sealed class HandedOutTests
{
    private readonly HandedOut _handedOut = new();

    [Fact]
    public void The_age_is_that_of_the_poll_that_brought_the_offset()
    {
        _handedOut.AppendedAt(null).ShouldBeNull();
        Poll(0, 9);
        Poll(10, 19);
        _handedOut.Position.ShouldBe(20);
        _handedOut.AppendedAt(null).ShouldBe(At(0));
        _handedOut.AppendedAt(5).ShouldBe(At(0));
        _handedOut.AppendedAt(10).ShouldBe(At(10));
        _handedOut.AppendedAt(19).ShouldBe(At(10));
        _handedOut.AppendedAt(20).ShouldBeNull();
    }

    [Fact]
    public void Of_many_polls_some_are_noted_and_the_age_is_a_little_too_high_and_never_too_low()
    {
        for (var n = 0; n < 10_000; n++) Poll(n, n);
        for (var offset = 0; offset < 10_000; offset += 7)
        {
            var told = _handedOut.AppendedAt(offset).ShouldNotBeNull();
            told.ShouldBeLessThanOrEqualTo(At(offset));
            (At(offset) - told).ShouldBeLessThan(TimeSpan.FromSeconds(10_000 / 30));
        }
    }

    private static DateTimeOffset At(long offset) => DateTimeOffset.UnixEpoch.AddSeconds(offset);

    private void Poll(long first, long last) => _handedOut.Add(Record(first), Record(last));

    private static LogRecord Record(long offset) =>
        new() { Source = new TopicPartition("t", 0), Offset = offset, AppendedAt = At(offset), Key = null, Value = default };
}
