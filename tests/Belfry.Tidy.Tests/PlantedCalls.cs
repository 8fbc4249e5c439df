using System.Collections.Concurrent;
using System.Diagnostics;

namespace Belfry.Tidy.Tests;

/// <summary>One of each call that the rules over compiled code must catch. Never run.</summary>
internal static class Planted
{
    public static object[] All() =>
    [
        DateTime.UtcNow, DateTimeOffset.UtcNow, Guid.NewGuid(), Random.Shared, Task.Run(() => { }), Task.Delay(1), Stopwatch.StartNew(),
        Task.CompletedTask.ConfigureAwait(false), new ConcurrentDictionary<int, int>(), new SemaphoreSlim(1),
    ];
}

/// <summary>A core that breaks its three rules.</summary>
internal sealed class PlantedCore(TimeProvider time)
{
    public static Task Wait() => Task.CompletedTask;
    public DateTimeOffset Now() => time.GetUtcNow();
}
