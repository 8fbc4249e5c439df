using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>
/// The admin client, lent to several requests at a time. After one that nobody answered it is made anew: a client whose brokers had all
/// died
/// was seen to let every later request time out, for minutes after they were back, while a new one was answered at once. Any thread.
/// </summary>
internal sealed class KafkaAdmin : IDisposable
{
    private readonly Func<IAdminClient> _make;
    private readonly Lock _lock = new();

    // Under the lock.
    private Lent _current;
    private bool _closed;

    /// <exception cref="InvalidOperationException">The client refuses the options.</exception>
    public KafkaAdmin(KafkaLogOptions options, ILogger logger)
        : this(() => new AdminClientBuilder(KafkaConfig.Admin(options))
            .SetErrorHandler(static (_, _) => { }).SetLogHandler((_, message) => KafkaLogging.Write(logger, message)).Build())
    {
    }

    internal KafkaAdmin(Func<IAdminClient> make) => (_make, _current) = (make, new Lent(make()));

    /// <summary>Asks, and waits for the answer until cancelled; the request itself goes on until its own time is over.</summary>
    public Task<T> UseAsync<T>(Func<IAdminClient, Task<T>> askAsync, CancellationToken cancel)
    {
        Lent lent;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            lent = _current;
            lent.Users++;
        }

        return AskAsync(lent, askAsync).WaitAsync(cancel);
    }

    /// <summary>Requests that are under way end by their own time.</summary>
    public void Dispose()
    {
        Lent last;
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
            last = _current;
            last.IsRetired = true;
            if (last.Users > 0) return;
        }

        last.Client.Dispose();
    }

    private async Task<T> AskAsync<T>(Lent lent, Func<IAdminClient, Task<T>> askAsync)
    {
        try
        {
            return await askAsync(lent.Client);
        }
        catch (KafkaException fault) when (fault.Error.Code is ErrorCode.Local_TimedOut or ErrorCode.Local_AllBrokersDown)
        {
            Renew(lent);
            throw;
        }
        finally
        {
            Return(lent);
        }
    }

    private void Renew(Lent lent)
    {
        lock (_lock)
        {
            if (_closed || _current != lent) return;
            _current = new Lent(_make());
            lent.IsRetired = true;
        }
    }

    private void Return(Lent lent)
    {
        lock (_lock)
            if (--lent.Users > 0 || !lent.IsRetired) return;
        // Freeing a native client blocks for a moment, and this may be its own thread that tells of the answer.
        _ = Task.Run(lent.Client.Dispose);
    }

    private sealed class Lent(IAdminClient client)
    {
        public IAdminClient Client => client;

        // Both under the lock of the one who lends.
        public int Users { get; set; }
        public bool IsRetired { get; set; }
    }
}
