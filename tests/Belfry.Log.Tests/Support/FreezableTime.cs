using Belfry.Testing;

namespace Belfry.Log.Tests;

/// <summary>The time of a process that can be frozen: it goes on, and timers fire once the process is thawed.</summary>
internal sealed class FreezableTime : TimeProvider
{
    private readonly List<Action> _held = [];
    private bool _isFrozen;

    public ManualTime Manual { get; } = new();

    public override long TimestampFrequency => Manual.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => Manual.GetUtcNow();

    public override long GetTimestamp() => Manual.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        Manual.CreateTimer(
            _ =>
            {
                if (_isFrozen) _held.Add(() => callback(state));
                else callback(state);
            }, null, dueTime, period);

    public void Freeze() => _isFrozen = true;

    public void Thaw()
    {
        _isFrozen = false;
        Action[] held = [.. _held];
        _held.Clear();
        foreach (var one in held) one();
    }
}
