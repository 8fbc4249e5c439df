using System.Diagnostics;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>Waits for another process to get somewhere: asks until the answer is there or the time is up.</summary>
internal static class Eventually
{
    // Far more than anything takes on a machine with nothing else to do: a bound, not an expectation.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <param name="what">For the message.</param>
    /// <param name="ask">Null: not yet.</param>
    /// <param name="explain">What else to tell when the time is up.</param>
    /// <param name="more">On top of the patience, where there is much to wait for.</param>
    public static async Task<T> GetAsync<T>(string what, Func<Task<T?>> ask, Func<string>? explain = null, TimeSpan more = default)
        where T : class
    {
        var bound = Patience + more;
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            if (await ask() is { } answer) return answer;
            if (Stopwatch.GetElapsedTime(started) > bound)
                throw new TimeoutException($"Not within {bound}: {what}. {explain?.Invoke()}");
            await Task.Delay(50);
        }
    }

    public static Task TrueAsync(string what, Func<Task<bool>> ask, Func<string>? explain = null, TimeSpan more = default) =>
        GetAsync(what, async () => await ask() ? "yes" : null, explain, more);
}
