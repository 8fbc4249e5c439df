using System.Data;
using Belfry.Outbox;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>
/// Which outbox lanes this process publishes now: session-level advisory locks of one session, so that of several processes one publishes a
/// lane at a time. A process that dies lets go with its connection; one that freezes, when the server ends its idle session. The log knows
/// no fences: a lot whose append hangs longer than that may come after newer messages, which at-least-once readers bear.
/// </summary>
internal sealed partial class LaneHolds(PostgresDatabase database) : IAsyncDisposable
{
    private const string Key = "hashtextextended(current_schema() || '/' || $1, 0)";

    // Guards all below: one command at a time, none of them waits for a lock.
    private readonly SemaphoreSlim _one = new(1);
    private readonly HashSet<string> _held = new(StringComparer.Ordinal);
    private NpgsqlConnection? _session;
    private long _generation;

    /// <summary>Null while another relay, here or elsewhere, holds the lane.</summary>
    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask<IAsyncDisposable?> TryHoldAsync(string lane, CancellationToken cancel)
    {
        if (!await _one.WaitAsync(database.Options.WaitMax, cancel))
            throw new StoreUnavailableException(
                $"The session that holds outbox lanes in '{database.Name}' was busy for {database.Options.WaitMax}; the server is slow.");
        try
        {
            if (_held.Contains(lane) && _session?.FullState == ConnectionState.Open) return null;
            if (!await TryLockAsync_NeedsLock(lane, cancel)) return null;
            _held.Add(lane);
            return new Hold(this, lane, _generation);
        }
        catch (Exception fault) when (PostgresFaults.Translate(database.Name, fault) is StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _one.WaitAsync();
        await DropAsync_NeedsLock();
        _one.Release();
    }

    /// <summary>The session may have been ended while it was idle: then a new one is tried, once.</summary>
    private async ValueTask<bool> TryLockAsync_NeedsLock(string lane, CancellationToken cancel)
    {
        if (_session is { FullState: ConnectionState.Open } former)
        {
            try
            {
                return await LockAsync(former, lane);
            }
            catch (Exception fault) when (PostgresFaults.Translate(database.Name, fault) is StoreUnavailableException)
            {
                SessionLost(database.Options.Logger, fault, _held.Count);
            }
        }

        await DropAsync_NeedsLock();
        var text = database.Options.Unpooled();
        text.Options = $"{text.Options} -c idle_session_timeout={PostgresOptions.Ms(database.Options.LaneHoldIdleMax)}".TrimStart();
        var session = new NpgsqlConnection(text.ToString());
        try
        {
            await session.OpenAsync(cancel);
            var locked = await LockAsync(session, lane);
            _session = session;
            return locked;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    // Not cancelled: the answer would be lost, and the lane with it. The statement's timeout bounds it.
    private static async ValueTask<bool> LockAsync(NpgsqlConnection session, string lane)
    {
        await using var command = session.Statement($"select pg_try_advisory_lock({Key})", PostgresCommands.Of(lane));
        return await command.ExecuteScalarAsync(CancellationToken.None) is true;
    }

    private async ValueTask LetGoAsync(string lane, long generation)
    {
        await _one.WaitAsync();
        try
        {
            if (generation != _generation || _session is not { FullState: ConnectionState.Open } session) return;
            _held.Remove(lane);
            await using var command = session.Statement($"select pg_advisory_unlock({Key})", PostgresCommands.Of(lane));
            await command.ExecuteScalarAsync(CancellationToken.None);
        }
        catch (Exception fault) when (fault is NpgsqlException or IOException or TimeoutException)
        {
            // The end of the session lets go of everything.
            SessionLost(database.Options.Logger, fault, _held.Count);
            await DropAsync_NeedsLock();
        }
        finally
        {
            _one.Release();
        }
    }

    private async ValueTask DropAsync_NeedsLock()
    {
        _generation++;
        _held.Clear();
        if (_session is { } session) await session.DisposeAsync();
        _session = null;
    }

    [LoggerMessage(
        EventId = 6101, Level = LogLevel.Information,
        Message = "The session that held {Held} outbox lanes has ended; another process may publish them meanwhile.")]
    private static partial void SessionLost(ILogger logger, Exception fault, int held);

    private sealed class Hold(LaneHolds holds, string lane, long generation) : IAsyncDisposable
    {
        private int _ended;

        public ValueTask DisposeAsync() =>
            Interlocked.Exchange(ref _ended, 1) == 0 ? holds.LetGoAsync(lane, generation) : ValueTask.CompletedTask;
    }
}
