using System.Text;
using Belfry.Alerting.Events;
using Belfry.Log;

namespace Belfry.Alerting.Tests.Events;

/// <summary>What the tests of the detour do over and over, with time that moves on only once it is waited for.</summary>
internal static class DetourSteps
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static OutgoingRecord Record(string service, string text) => new()
    {
        Topic = "incoming-events", OrderingKey = service, Value = Encoding.UTF8.GetBytes(text),
    };

    public static Task SendAsync(this EventInlet inlet, string service, string text) =>
        inlet.AppendAsync(Record(service, text), default).AsTask();

    /// <summary>Sends an event and lets its waits pass until it is acknowledged, whichever way it goes.</summary>
    public static async Task TakeAsync(this EventInlet inlet, DetourTime time, string service, string text)
    {
        var (durable, waits) = (time.Durable, time.Begun(DetourWatch.ClearPatience));
        var sending = inlet.SendAsync(service, text);
        await UntilAsync(() => Ended() || time.Begun(DetourWatch.ClearPatience) > waits);
        if (!Ended()) time.Advance(DetourWatch.ClearPatience);
        await UntilAsync(Ended);
        if (!sending.IsCompleted) time.Advance(EventDetour.KnownToAll);
        await sending.WaitAsync(Patience);

        bool Ended() => sending.IsCompleted || time.Durable > durable;
    }

    /// <summary>All are durable, and all know of them.</summary>
    public static async Task AcknowledgedAsync(this DetourTime time, int durable, params Task[] sendings)
    {
        await UntilAsync(() => time.Durable == durable);
        time.Advance(EventDetour.KnownToAll);
        await Task.WhenAll(sendings).WaitAsync(Patience);
    }

    /// <summary>The texts of the events that wait in the lane.</summary>
    public static async Task<List<string>> WaitingAsync(this SwitchedStore store) =>
        [.. (await store.Inner.PendingAsync(EventDetour.Lane, 2_000, default)).Select(m => Encoding.UTF8.GetString(m.Record.Value.Span))];

    public static async Task UntilAsync(Func<bool> holds)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!holds())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
