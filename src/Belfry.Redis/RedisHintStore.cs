using Belfry.Log;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Belfry.Redis;

/// <summary>
/// Hints that several processes share, on connections of their own, so that fast claims never queue behind them. A Redis that is missing,
/// slow, read-only, full or emptied is answered "not reachable", within <see cref="RedisOptions.AnswerTimeout"/>, and at once while it is
/// left alone after failures. A lot of hints is one question, and its commands travel together. Any thread.
/// </summary>
public sealed class RedisHintStore : IHintStore, IAsyncDisposable
{
    // On the primary, in one step, and sent whole: Redis may forget scripts, and it is short.
    private const CommandFlags OnPrimary = CommandFlags.DemandMaster | CommandFlags.NoScriptCache;

    // KEYS: key. ARGV: most entries, milliseconds, entries from the oldest.
    private const string AddEntries =
        """
        redis.call('lpush', KEYS[1], unpack(ARGV, 3))
        redis.call('ltrim', KEYS[1], 0, ARGV[1] - 1)
        redis.call('pexpire', KEYS[1], ARGV[2])
        return 1
        """;

    private readonly RedisOptions _options;
    private readonly RedisConnection _connection;

    private RedisHintStore(RedisOptions options, RedisConnection connection) => (_options, _connection) = (options, connection);

    /// <summary>
    /// Connects, waiting at most <see cref="RedisOptions.ConnectTimeout"/>; without Redis the hints are there all the same, and find it
    /// once it comes.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of its bounds; names all that are.</exception>
    public static async Task<RedisHintStore> OpenAsync(
        RedisOptions options, TimeProvider time, ILogger logger, CancellationToken cancel)
    {
        options.Validate();
        return new RedisHintStore(options, await RedisConnection.OpenAsync(options, time, logger, cancel));
    }

    public async ValueTask<bool> WriteAsync(IReadOnlyList<Hint> hints, CancellationToken cancel)
    {
        foreach (var hint in hints) hint.Validate();
        if (hints.Count == 0) return true;
        var written = await _connection.AskAsync(redis => WriteAsync(redis, hints), false, cancel);
        RedisMeter.Hints(hints.Count, written);
        return written;
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>?> ValuesAsync(IReadOnlyList<string> keys, CancellationToken cancel) =>
        _connection.AskAsync<IReadOnlyList<ReadOnlyMemory<byte>?>?>(async redis =>
        {
            // One command a key: in a cluster they lie apart.
            var found = await Task.WhenAll(keys.Select(key => redis.StringGetAsync(KeyOf(key), CommandFlags.DemandMaster)));
            return [.. found.Select(value => value.IsNull ? (ReadOnlyMemory<byte>?)null : BytesOf(value))];
        }, null, cancel);

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>?> EntriesAsync(string key, int max, CancellationToken cancel) =>
        _connection.AskAsync<IReadOnlyList<ReadOnlyMemory<byte>>?>(async redis =>
        {
            var found = await redis.ListRangeAsync(KeyOf(key), 0, max - 1, CommandFlags.DemandMaster);
            return [.. found.Select(BytesOf)];
        }, null, cancel);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private async Task<bool> WriteAsync(IDatabase redis, IReadOnlyList<Hint> hints)
    {
        var commands = new List<Task>(hints.Count);
        Dictionary<string, List<Hint>>? lists = null;
        foreach (var hint in hints)
        {
            if (hint.Kind == HintKind.Expiry)
            {
                commands.Add(redis.KeyExpireAsync(KeyOf(hint.Key), hint.KeptFor, CommandFlags.DemandMaster));
                continue;
            }

            if (hint.Kind != HintKind.Entry)
            {
                var when = hint.Kind == HintKind.FirstValue ? When.NotExists : When.Always;
                commands.Add(redis.StringSetAsync(KeyOf(hint.Key), hint.Bytes.ToArray(), hint.KeptFor, when, CommandFlags.DemandMaster));
                continue;
            }

            lists ??= new Dictionary<string, List<Hint>>(StringComparer.Ordinal);
            if (!lists.TryGetValue(hint.Key, out var entries)) lists.Add(hint.Key, entries = []);
            entries.Add(hint);
        }

        if (lists is not null) commands.AddRange(lists.Values.Select(entries => AddAsync(redis, entries)));
        await Task.WhenAll(commands);
        return true;
    }

    private Task<RedisResult> AddAsync(IDatabase redis, List<Hint> entries)
    {
        var last = entries[^1];
        RedisValue[] arguments =
        [
            last.EntriesMax, (long)last.KeptFor.TotalMilliseconds,
            .. entries.Skip(entries.Count - last.EntriesMax).Select(entry => (RedisValue)entry.Bytes.ToArray()),
        ];
        return redis.ScriptEvaluateAsync(AddEntries, [KeyOf(last.Key)], arguments, OnPrimary);
    }

    private RedisKey KeyOf(string key) => ClaimKeys.HintOf(_options.KeyPrefix, key);

    private static ReadOnlyMemory<byte> BytesOf(RedisValue value) => (byte[])value;
}
