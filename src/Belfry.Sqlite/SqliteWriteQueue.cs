using System.Threading.Channels;
using Belfry.Outbox;

namespace Belfry.Sqlite;

/// <summary>The bounded queue before the writer's thread: callers wait for room without a thread, the writer waits on its own.</summary>
internal sealed class SqliteWriteQueue(string path, int itemsMax, TimeSpan waitMax)
{
    private readonly Channel<SqliteWriteItem> _items = Channel.CreateBounded<SqliteWriteItem>(
        new BoundedChannelOptions(itemsMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    // Not disposed of: a caller whose item is long written may still be about to set it. Its handle goes with the object.
    private readonly AutoResetEvent _wake = new(false);
    private int _sleeping;

    /// <summary>Tests hold a caller there: its item is taken, and it is about to wake the writer that it saw asleep.</summary>
    internal Action? Waking { get; init; }

    /// <exception cref="StoreUnavailableException">Full for longer than the wait; the item was not taken.</exception>
    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public ValueTask AddAsync(SqliteWriteItem item, CancellationToken cancel)
    {
        if (!_items.Writer.TryWrite(item)) return AddWhenRoomAsync(item, cancel);
        WakeWriter();
        return ValueTask.CompletedTask;
    }

    /// <summary>No more items are taken; those inside still run.</summary>
    public void Close()
    {
        _items.Writer.TryComplete();
        _wake.Set();
    }

    /// <summary>
    /// Called by the writer's thread: moves what waits into <paramref name="lot"/>, at most <paramref name="max"/>. False: closed and
    /// empty.
    /// </summary>
    public bool Take(List<SqliteWriteItem> lot, int max)
    {
        lot.Clear();
        while (true)
        {
            while (lot.Count < max && _items.Reader.TryRead(out var item)) lot.Add(item);
            if (lot.Count > 0) return true;
            if (_items.Reader.Completion.IsCompleted) return false;

            // The flag is raised before the last look: whoever adds after that look sees it and sets the event.
            Interlocked.Exchange(ref _sleeping, 1);
            if (_items.Reader.TryPeek(out _) || _items.Reader.Completion.IsCompleted)
            {
                Interlocked.Exchange(ref _sleeping, 0);
                continue;
            }

            _wake.WaitOne();
            Interlocked.Exchange(ref _sleeping, 0);
        }
    }

    private async ValueTask AddWhenRoomAsync(SqliteWriteItem item, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(waitMax);
        try
        {
            await _items.Writer.WriteAsync(item, limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new StoreUnavailableException(
                $"The write queue of '{path}' held {itemsMax} of at most {itemsMax} items for {waitMax}; write less, or raise " +
                $"{nameof(SqliteFileOptions.QueueItemsMax)} or {nameof(SqliteFileOptions.QueueWaitMax)}.");
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(SqliteFile), $"'{path}' is closed.");
        }

        WakeWriter();
    }

    private void WakeWriter()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _sleeping) == 0) return;
        Waking?.Invoke();
        _wake.Set();
    }
}
