using System.Diagnostics;

namespace Belfry.Bench.Accept;

/// <summary>
/// So many events a second, whatever the server does: event n is due at n / rate, and its wait counts from when it was due, so that a
/// slow answer does not hide the wait of those behind it.
/// </summary>
internal sealed class SteadyLoad(Uri server, int connections, int perSecond, Func<int, byte[]> requestOf)
{
    /// <returns>When each event was due, on the clock of <see cref="Stopwatch"/>.</returns>
    /// <exception cref="InvalidOperationException">An event was not accepted.</exception>
    public async Task<TimeSpan[]> RunAsync(int from, int count, CancellationToken cancel)
    {
        var startsAt = Stopwatch.GetElapsedTime(0) + TimeSpan.FromMilliseconds(100);
        var due = Enumerable.Range(0, count).Select(at => startsAt + TimeSpan.FromSeconds((double)at / perSecond)).ToArray();
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, connections).Select(async _ =>
        {
            using var connection = await RawConnection.OpenAsync(server, cancel);
            while (Interlocked.Increment(ref next) is var at && at < count)
            {
                var request = requestOf(from + at);
                var wait = due[at] - Stopwatch.GetElapsedTime(0);
                if (wait > TimeSpan.Zero) await Task.Delay(wait, cancel);
                var status = await connection.AskAsync(request, cancel);
                if (status != 202) throw new InvalidOperationException($"Event {from + at} was answered {status}.");
            }
        }));
        return due;
    }
}
