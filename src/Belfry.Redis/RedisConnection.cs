using Belfry.Deliveries;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Belfry.Redis;

/// <summary>How a connection stands; see <see cref="RedisClaimsStatus"/>.</summary>
internal sealed record RedisHealth(
    bool Connected, bool Paused, TimeSpan? FailingFor, string? LastFault, long Faults, long Timeouts, long Connects);

/// <summary>
/// The way to Redis: a question gets an answer within its time, or none. After failures in a row nothing is asked for a while; after a
/// longer silence the connections are made anew. Any thread.
/// </summary>
internal sealed class RedisConnection : IAsyncDisposable
{
    private readonly RedisOptions _options;
    private readonly ConfigurationOptions _configuration;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly long _startedAt;

    // All below: under the lock, each held for a few instructions.
    private readonly Lock _lock = new();
    private readonly CircuitBreaker _breaker;
    private Link? _link;
    private Task _connecting = Task.CompletedTask;
    private bool _disposed;
    private TimeSpan? _failingSince;
    private TimeSpan _connectedAt;
    private string? _lastFault;
    private long _faults;
    private long _timeouts;
    private long _connects;

    private RedisConnection(RedisOptions options, TimeProvider time, ILogger logger)
    {
        (_options, _configuration, _time, _logger) = (options, options.ToConfiguration(), time, logger);
        _startedAt = time.GetTimestamp();
        _breaker = new CircuitBreaker(new BreakerOptions
        {
            FailuresToOpen = options.FailuresToPause, OpenFor = options.PauseFor, OpenForMax = options.PauseForMax,
        });
    }

    public RedisHealth Health
    {
        get
        {
            lock (_lock)
            {
                return new RedisHealth(
                    _link?.Multiplexer.IsConnected == true, _breaker.State != BreakerState.Closed, Now - _failingSince,
                    _lastFault, _faults, _timeouts, _connects);
            }
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_startedAt);

    public static async Task<RedisConnection> OpenAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancel)
    {
        var connection = new RedisConnection(options, time, logger);
        Task connecting;
        lock (connection._lock) connecting = connection.Connect_NeedsLock();
        try
        {
            await connecting.WaitAsync(options.ConnectTimeout, time, cancel);
        }
        catch (TimeoutException)
        {
            // It goes on by itself.
        }
        catch (OperationCanceledException)
        {
            await connection.DisposeAsync();
            throw;
        }

        return connection;
    }

    /// <summary>The answer, or <paramref name="none"/>: not reachable, refused, too late, or not asked at all.</summary>
    /// <exception cref="OperationCanceledException">By <paramref name="cancel"/>; the question may have been answered.</exception>
    public async ValueTask<T> AskAsync<T>(Func<IDatabase, Task<T>> question, T none, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (!TryBegin(out var link, out var permit)) return none;
        var answer = none;
        try
        {
            var asked = question(link!.Database);
            End(asked, link);
            answer = await asked.WaitAsync(_options.AnswerTimeout, _time, cancel);
            Answered(permit);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            lock (_lock) _breaker.Cancelled(permit);
            throw;
        }
        catch (Exception fault)
        {
            // Whatever the client throws, the question was not answered, and that is an answer.
            Failed(permit, fault);
        }

        // The client completes one answer after another: what comes after this one must not hold up the next.
        await Task.Yield();
        return answer;
    }

    public async ValueTask DisposeAsync()
    {
        Task connecting;
        Link? link;
        lock (_lock)
        {
            _disposed = true;
            connecting = _connecting;
        }

        // It throws nothing, and lets go of what it made.
        await connecting;
        lock (_lock) (link, _link) = (_link, null);
        Close(link);
    }

    private bool TryBegin(out Link? link, out BreakerPermit permit)
    {
        permit = default;
        lock (_lock)
        {
            link = _link;
            if (link is null) _failingSince ??= Now;
            if (link is null || link.InFlight >= _options.InFlightMax)
            {
                // Nothing is asked that could fail, and what is in flight may never end.
                ReconnectIfDue_NeedsLock();
                return false;
            }

            if (_breaker.TryEnter(Now, out _) is not { } given) return false;
            permit = given;
            link.InFlight++;
            return true;
        }
    }

    /// <summary>An answer may come long after nobody waits for it any more, or never.</summary>
    private void End(Task asked, Link link) => asked.ContinueWith(
        ended =>
        {
            // Looked at, so that a fault does not count as unobserved.
            _ = ended.Exception;
            lock (_lock) link.InFlight--;
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private void Answered(BreakerPermit permit)
    {
        bool back;
        TimeSpan? failedFor;
        lock (_lock)
        {
            failedFor = Now - _failingSince;
            _failingSince = null;
            var before = _breaker.State;
            _breaker.Succeeded(permit);
            back = before != BreakerState.Closed && _breaker.State == BreakerState.Closed;
        }

        if (back) _logger.LogInformation("Redis answers again, after {FailedFor}.", failedFor);
    }

    private void Failed(BreakerPermit permit, Exception fault)
    {
        var kind = KindOf(fault);
        bool paused;
        lock (_lock)
        {
            _failingSince ??= Now;
            _faults++;
            if (kind == "timeout") _timeouts++;
            _lastFault = kind == "timeout" ? $"no answer within AnswerTimeout, {_options.AnswerTimeout}" : fault.Message;
            var before = _breaker.State;
            _breaker.Failed(permit, Now);
            paused = before == BreakerState.Closed && _breaker.State == BreakerState.Open;
            ReconnectIfDue_NeedsLock();
        }

        RedisMeter.Fault(kind);
        if (paused)
        {
            _logger.LogWarning(
                fault, "Redis failed {Failures} times in a row and is left alone for {Pause}; until it answers the store alone decides.",
                _options.FailuresToPause, _options.PauseFor);
        }
    }

    private static string KindOf(Exception fault) => fault switch
    {
        TimeoutException => "timeout",
        RedisConnectionException or ObjectDisposedException => "connection",
        RedisException => "server",
        _ => "other",
    };

    private void ReconnectIfDue_NeedsLock()
    {
        var now = Now;
        if (_disposed || !_connecting.IsCompleted) return;
        if (!(now - _failingSince >= _options.ReconnectAfter) || now - _connectedAt < _options.ReconnectAfter) return;
        Connect_NeedsLock();
    }

    /// <summary>The task never throws.</summary>
    private Task Connect_NeedsLock()
    {
        _connects++;
        _connectedAt = Now;
        var again = _connects > 1;
        return _connecting = Task.Run(() => ConnectAsync(again));
    }

    private async Task ConnectAsync(bool again)
    {
        if (again) _logger.LogWarning("Redis has answered nothing for {After}; its connections are made anew.", _options.ReconnectAfter);
        Link made;
        Link? old;
        try
        {
            made = new Link(await ConnectionMultiplexer.ConnectAsync(_configuration));
        }
        catch (Exception fault)
        {
            lock (_lock) _lastFault = fault.Message;
            _logger.LogWarning(fault, "Redis could not be connected to; it is tried again after {After}.", _options.ReconnectAfter);
            return;
        }

        lock (_lock) (old, _link) = (_link, made);
        Close(old);
        if (!again && !made.Multiplexer.IsConnected) _logger.LogWarning("Redis is not there yet; until it comes the store alone decides.");
    }

    /// <summary>At once: who still waits for an answer has a time limit.</summary>
    private void Close(Link? link)
    {
        try
        {
            link?.Multiplexer.Close(allowCommandsToComplete: false);
        }
        catch (Exception fault)
        {
            _logger.LogWarning(fault, "A connection to Redis did not close cleanly.");
        }
    }

    /// <summary>One set of connections, and the questions put over it that have no answer.</summary>
    private sealed class Link(ConnectionMultiplexer multiplexer)
    {
        public ConnectionMultiplexer Multiplexer { get; } = multiplexer;

        public IDatabase Database { get; } = multiplexer.GetDatabase();

        public int InFlight { get; set; }
    }
}
