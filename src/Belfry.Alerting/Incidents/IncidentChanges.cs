using Belfry.Log;

namespace Belfry.Alerting.Incidents;

/// <summary>
/// Tells live pages of this process that incidents changed: a version that grows with each commit. Nothing is kept per change, so a
/// page reads afresh. Safe for use by several threads.
/// </summary>
public sealed class IncidentChanges
{
    private readonly Lock _gate = new();
    private TaskCompletionSource _next = New();
    private long _version;

    /// <summary>0 at the start of the process.</summary>
    public long Version
    {
        get
        {
            lock (_gate) return _version;
        }
    }

    /// <summary>Something was committed. Never blocks; any thread.</summary>
    public void Poke()
    {
        TaskCompletionSource told;
        lock (_gate)
        {
            _version++;
            told = _next;
            _next = New();
        }

        told.SetResult();
    }

    /// <summary>
    /// Returns the version once it is past <paramref name="since"/>, or what it is after <paramref name="atMost"/>. A version from
    /// another process, higher than the present one, returns at once.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<long> WaitAsync(long since, TimeSpan atMost, TimeProvider time, CancellationToken cancel)
    {
        Task changed;
        lock (_gate)
        {
            if (_version != since) return _version;
            changed = _next.Task;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var waited = Task.Delay(atMost, time, ended.Token);
        await TaskWaits.EitherAsync(changed, waited);
        ended.Cancel();
        cancel.ThrowIfCancellationRequested();
        return Version;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
