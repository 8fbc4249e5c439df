using Belfry.Log;
using Belfry.Outbox;

namespace Belfry.Server.Hosting;

/// <summary>
/// How long a start waits for parts that do not answer yet: whoever starts everything at once starts some of it too early. One bound for
/// all of a start; what is wrong rather than away comes out at once.
/// </summary>
internal sealed partial class StartPatience(TimeSpan atMost, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(5);
    private readonly long _since = time.GetTimestamp();

    /// <summary>A step that may be repeated, until it succeeds or the time is up; then its own fault comes out.</summary>
    public async Task<T> UntilAnsweredAsync<T>(string part, Func<Task<T>> step, CancellationToken cancel)
    {
        for (var pause = PauseMin; ; pause = pause * 2 < PauseMax ? pause * 2 : PauseMax)
        {
            try
            {
                return await step();
            }
            catch (Exception fault) when (fault is LogUnavailableException or StoreUnavailableException && Rest is var rest
                && rest > TimeSpan.Zero)
            {
                var wait = pause < rest ? pause : rest;
                Waits(part, wait, rest, fault.Message);
                await Task.Delay(wait, time, cancel);
            }
        }
    }

    /// <inheritdoc cref="UntilAnsweredAsync{T}"/>
    public Task UntilAnsweredAsync(string part, Func<Task> step, CancellationToken cancel) => UntilAnsweredAsync(
        part, async () =>
        {
            await step();
            return true;
        }, cancel);

    private TimeSpan Rest => atMost - time.GetElapsedTime(_since);

    [LoggerMessage(241, LogLevel.Warning, "The start waits for {Part}, looks again in {Wait}, and gives up in {Rest}: {Fault}")]
    private partial void Waits(string part, TimeSpan wait, TimeSpan rest, string fault);
}
