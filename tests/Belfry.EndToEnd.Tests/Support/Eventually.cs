using System.Diagnostics;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>Waits for another process to get somewhere: asks until the answer is there or the time is up.</summary>
internal static class Eventually
{
    public static async Task<T> GetAsync<T>(string what, TimeSpan patience, Func<Task<T?>> ask, Func<string>? explain = null) where T : class
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await ask() is { } answer) return answer;
            if (Stopwatch.GetElapsedTime(started) > patience)
                throw new TimeoutException($"Not within {patience}: {what}. {explain?.Invoke()}");
            await Task.Delay(50);
        }
    }

    public static Task TrueAsync(string what, TimeSpan patience, Func<Task<bool>> ask, Func<string>? explain = null) =>
        GetAsync(what, patience, async () => await ask() ? "yes" : null, explain);
}
