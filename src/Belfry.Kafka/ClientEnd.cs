namespace Belfry.Kafka;

/// <summary>The end of native clients, which takes as long as a name takes to be looked up, or for ever.</summary>
internal static class ClientEnd
{
    /// <summary>
    /// Ends one after the other, on a thread of its own: of the pool's, those that never end would hold all. One that fails is logged and
    /// keeps the next from nothing; so the task does not fail.
    /// </summary>
    /// <param name="after">What comes first, however it goes.</param>
    /// <param name="voice">Of the clients.</param>
    /// <param name="ends">In their order.</param>
    public static Task RunAsync(Task after, ClientVoice voice, params IDisposable[] ends) => after.ContinueWith(
        before =>
        {
            // Whose fault is its own callers' to look at.
            _ = before.Exception;
            foreach (var end in ends) End(end, voice);
        },
        CancellationToken.None, TaskContinuationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Here and now, and without failing.</summary>
    public static void End(IDisposable end, ClientVoice voice)
    {
        try
        {
            end.Dispose();
        }
        catch (Exception fault)
        {
            voice.EndFailed(fault);
        }
    }
}
