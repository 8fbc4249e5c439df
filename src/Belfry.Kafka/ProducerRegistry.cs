using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Belfry.Kafka;

/// <summary>
/// The process's Kafka producers: one for each configuration, whoever asks, and never more than a few alive. Only it makes any; a
/// producer a request is what takes a cluster down (reference: PagerDuty, 28 August 2025). Safe for use by several threads.
/// </summary>
public sealed class ProducerRegistry
{
    /// <summary>Most producers alive at a time.</summary>
    public const int AliveMax = 4;

    private static readonly Meter Meter = new("Belfry.Kafka");

    private readonly int _aliveMax;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SharedProducer> _shared = new(StringComparer.Ordinal);
    private long _created;
    private int _alive;

    internal ProducerRegistry(int aliveMax = AliveMax) => _aliveMax = aliveMax;

    /// <summary>The process's.</summary>
    public static ProducerRegistry Shared { get; } = Measured(new ProducerRegistry());

    /// <summary>Producers made since the process started. A healthy one makes as many as it has configurations; alarm on growth.</summary>
    public long Created => Interlocked.Read(ref _created);

    /// <summary>Producers that are not closed yet.</summary>
    public int Alive => Volatile.Read(ref _alive);

    /// <summary>The producer of this configuration, made at the first append. Give it back with <see cref="ReturnAsync"/>.</summary>
    internal SharedProducer Rent(ProducerConfig config, TimeSpan closeTimeout, TimeProvider time, ILogger logger)
    {
        var key = KeyOf(config);
        lock (_lock)
        {
            if (!_shared.TryGetValue(key, out var shared))
                _shared[key] = shared = new SharedProducer(this, config, key, closeTimeout, time, logger);
            shared.Users++;
            return shared;
        }
    }

    /// <summary>The last user's return sends what is waiting, within the close timeout, and closes the producer.</summary>
    internal async ValueTask ReturnAsync(SharedProducer shared)
    {
        lock (_lock)
        {
            if (--shared.Users > 0) return;
            _shared.Remove(shared.Key);
        }

        await shared.CloseAsync();
    }

    /// <exception cref="InvalidOperationException">As many are alive as may be.</exception>
    /// <exception cref="Belfry.Log.LogUnavailableException">The client refuses its settings.</exception>
    internal IProducer<byte[], byte[]> Build(ProducerConfig config, Action<Error> failed, Action<LogMessage> logged)
    {
        lock (_lock)
        {
            if (_alive >= _aliveMax)
                throw new InvalidOperationException(
                    $"{_alive} Kafka producers are alive of at most {_aliveMax} a process, {_created} were made: use one KafkaLog for " +
                    "each cluster and dispose of those not used any more.");
            Interlocked.Increment(ref _alive);
        }

        try
        {
            var producer = KafkaFaults.Make(() => new ProducerBuilder<byte[], byte[]>(config)
                .SetErrorHandler((_, error) => failed(error)).SetLogHandler((_, message) => logged(message)).Build());
            Interlocked.Increment(ref _created);
            return producer;
        }
        catch
        {
            Ended();
            throw;
        }
    }

    /// <summary>A producer that <see cref="Build"/> made is closed.</summary>
    internal void Ended() => Interlocked.Decrement(ref _alive);

    private static ProducerRegistry Measured(ProducerRegistry registry)
    {
        Meter.CreateObservableCounter("belfry.kafka.producers_created", () => registry.Created, null,
            "Producers made since the process started. Alarm on any growth in steady running.");
        Meter.CreateObservableGauge("belfry.kafka.producers_alive", () => registry.Alive, null,
            $"Producers that are not closed yet, at most {AliveMax}.");
        return registry;
    }

    // A digest, for the settings hold passwords.
    private static string KeyOf(ProducerConfig config) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Join('\n', config.Select(setting => $"{setting.Key}={setting.Value}").Order(StringComparer.Ordinal)))));
}
