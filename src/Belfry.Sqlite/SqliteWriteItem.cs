using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Belfry.Sqlite;

/// <summary>
/// One caller's write: waits in the queue, runs on the writer's thread (a second time when another one of its lot failed), ends with
/// the commit of its lot.
/// </summary>
internal abstract class SqliteWriteItem
{
    private const int Waiting = 0;
    private const int Started = 1;
    private const int Cancelled = 2;
    private int _state = Waiting;
    private CancellationTokenRegistration _registration;

    // The writer's thread only.
    private bool _ran;

    /// <summary>Why its work was rolled back, by itself or with its lot; null while it has not failed.</summary>
    public Exception? Fault { get; set; }

    /// <summary>Its end is under way to the caller and stays as it is. The writer's thread only.</summary>
    public bool IsAnnounced { get; set; }

    /// <summary>From here on a cancelled caller still gets the true outcome. False when it was cancelled before.</summary>
    public bool TryStart() => Interlocked.CompareExchange(ref _state, Started, Waiting) == Waiting;

    public void CancelWith(CancellationToken cancel)
    {
        if (cancel.CanBeCanceled)
            _registration = cancel.UnsafeRegister(static (item, token) => ((SqliteWriteItem)item!).Cancel(token), this);
    }

    /// <exception cref="InvalidOperationException">The work ended the transaction; nothing of its lot counts.</exception>
    public void Run(SqliteConnection connection)
    {
        _ran = true;
        Work(connection);
        if (raw.sqlite3_get_autocommit(connection.Handle!) != 0)
            throw new InvalidOperationException("The work ended the transaction it ran in, or went on after a fault that had ended it.");
    }

    /// <summary>On the writer's thread, in the order of running, after the commit and before any caller goes on. Must not throw.</summary>
    public abstract void OnCommitted();

    /// <summary>On the writer's thread, newest first: what it wrote is undone. Tells its hook once for each time it ran.</summary>
    public void RolledBack()
    {
        if (!_ran) return;
        _ran = false;
        OnRolledBack();
    }

    /// <summary>It was never queued.</summary>
    public void Forget() => _registration.Dispose();

    /// <summary>Tells the caller how it ended, and goes on with what the caller does next: never on the writer's thread.</summary>
    public void End()
    {
        _registration.Dispose();
        if (Fault is { } fault) SetException(fault);
        else SetResult();
    }

    protected abstract void Work(SqliteConnection connection);

    /// <summary>Must not throw.</summary>
    protected abstract void OnRolledBack();
    protected abstract void SetResult();
    protected abstract void SetException(Exception exception);
    protected abstract void SetCancelled(CancellationToken cancel);

    private void Cancel(CancellationToken cancel)
    {
        // Whoever cancels is not to go on with what the caller does next.
        if (Interlocked.CompareExchange(ref _state, Cancelled, Waiting) == Waiting)
            ThreadPool.UnsafeQueueUserWorkItem(static end => end.Item.SetCancelled(end.Cancel), (Item: this, Cancel: cancel), false);
    }
}

internal sealed class SqliteWriteItem<T>(Func<SqliteConnection, T> work, Action<T>? committed, Action? rolledBack) : SqliteWriteItem
{
    // Ends on the pool alone, so what goes on there may go on at once.
    private readonly TaskCompletionSource<T> _end = new();
    private T _result = default!;

    public Task<T> Task => _end.Task;

    protected override void Work(SqliteConnection connection) => _result = work(connection);
    public override void OnCommitted() => committed?.Invoke(_result);
    protected override void OnRolledBack() => rolledBack?.Invoke();
    protected override void SetResult() => _end.TrySetResult(_result);
    protected override void SetException(Exception exception) => _end.TrySetException(exception);
    protected override void SetCancelled(CancellationToken cancel) => _end.TrySetCanceled(cancel);
}
