using System.Diagnostics;

namespace Belfry.Redis.Tests;

/// <summary>Asks another process until it answers, for at most 30 s.</summary>
internal static class Eventually
{
    public static async Task IsAsync<T>(Func<Task<T>> ask, T expected)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var answer = await ask();
            if (Equals(answer, expected)) return;
            if (watch.Elapsed > TimeSpan.FromSeconds(30))
                throw new TimeoutException($"Still {answer} after {watch.Elapsed}, expected {expected}.");
            await Task.Delay(20);
        }
    }

    public static async Task TrueAsync(Func<Task<bool>> ask) => await IsAsync(ask, true);
}
