using Belfry.Log;
using Belfry.Outbox;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>
/// Answers what waits in a lane over a session of its own: those who ask go by the answer's age, so it must not wait for a pool that is
/// busy, nor behind a question that hangs.
/// </summary>
internal sealed class LaneLooks(PostgresDatabase database) : IAsyncDisposable
{
    /// <summary>Questions under way, those included that nobody waits for any more.</summary>
    private const int UnderWayMax = 4;

    private readonly SemaphoreSlim _free = new(UnderWayMax);

    // Null while a question is under way on it: a second one opens another, and one of the two is kept.
    private NpgsqlConnection? _session;
    private volatile bool _closed;

    /// <exception cref="StoreUnavailableException">Retryable.</exception>
    public async ValueTask<PendingKeys> PendingKeysAsync(string lane, int max, CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        await _free.WaitAsync(cancel);

        // Not cancelled, for a server that hangs hears of no cancellation: left behind, it ends by its own time limit.
        return await AskAsync(lane, max).OrCancelledAsync(cancel);
    }

    public async ValueTask DisposeAsync()
    {
        _closed = true;
        for (var i = 0; i < UnderWayMax; i++) await _free.WaitAsync();
        if (_session is { } session) await session.DisposeAsync();
    }

    private async Task<PendingKeys> AskAsync(string lane, int max)
    {
        try
        {
            return await AskOnceOrAgainAsync(lane, max);
        }
        catch (PostgresException fault) when (fault.SqlState.StartsWith(PostgresFaults.NoRoom, StringComparison.Ordinal))
        {
            throw new StoreBusyException($"PostgreSQL '{database.Name}' has no room for a look: {fault.Message}", fault);
        }
        catch (Exception fault) when (PostgresFaults.Translate(database.Name, fault) is StoreUnavailableException unavailable)
        {
            throw unavailable;
        }
        finally
        {
            _free.Release();
        }
    }

    private async Task<PendingKeys> AskOnceOrAgainAsync(string lane, int max)
    {
        if (Interlocked.Exchange(ref _session, null) is { } former)
        {
            try
            {
                return await AskAsync(former, lane, max);
            }
            catch (Exception fault) when (PostgresFaults.Translate(database.Name, fault) is StoreUnavailableException)
            {
                // It had ended while it was idle, as when the server was started anew.
            }
        }

        var text = database.Options.Unpooled();

        // What has hung for longer is hung up on.
        text.Timeout = text.CommandTimeout = PostgresOptions.Seconds(database.Options.LookMax);
        text.CancellationTimeout = -1;
        var session = new NpgsqlConnection(text.ToString());
        try
        {
            await session.OpenAsync(CancellationToken.None);
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }

        return await AskAsync(session, lane, max);
    }

    /// <summary>Keeps the session, or closes it when the question failed.</summary>
    private async Task<PendingKeys> AskAsync(NpgsqlConnection session, string lane, int max)
    {
        var keep = false;
        try
        {
            var rows = await OutboxTables.PendingKeys(session, lane, PendingKeys.MessagesMax + 1, max + 1)
                .ListAsync(row => (Key: row.Text(0), Count: row.GetInt64(1)), CancellationToken.None);
            keep = true;
            return new PendingKeys(
                rows.Take(max).Select(row => row.Key).ToHashSet(StringComparer.Ordinal),
                rows.Count <= max && rows.Sum(row => row.Count) <= PendingKeys.MessagesMax);
        }
        finally
        {
            if (!keep || Interlocked.CompareExchange(ref _session, session, null) is not null) await session.DisposeAsync();
        }
    }
}
