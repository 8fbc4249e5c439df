using System.Diagnostics;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>Waits for another process to get somewhere: asks until the answer is there or the time is up.</summary>
internal static class Eventually
{
    // Far more than anything takes on a machine with nothing else to do: a bound, not an expectation.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static async Task<T> GetAsync<T>(string what, Func<Task<T?>> ask, Func<string>? explain = null) where T : class
    {
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await ask() is { } answer) return answer;
            if (Stopwatch.GetElapsedTime(started) > Patience)
                throw new TimeoutException($"Not within {Patience}: {what}. {explain?.Invoke()}");
            await Task.Delay(50);
        }
    }

    public static Task TrueAsync(string what, Func<Task<bool>> ask, Func<string>? explain = null) =>
        GetAsync(what, async () => await ask() ? "yes" : null, explain);
}
