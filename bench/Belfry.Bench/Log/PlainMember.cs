using Confluent.Kafka;

namespace Belfry.Bench.Log;

/// <summary>
/// The rival of the lanes: a consumer as the client's own documents write it, with a thread of its own that handles one record after
/// another and stores the offset once it is handled. The client commits stored offsets in the background.
/// </summary>
internal sealed class PlainMember
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _assignments;

    /// <param name="config">Offsets are stored by this class, whatever it says.</param>
    /// <param name="topic">Read from its start where the group has committed nothing.</param>
    /// <param name="handle">Gets the record and a token that ends with <see cref="StopAsync"/>.</param>
    public PlainMember(ConsumerConfig config, string topic, Action<ConsumeResult<byte[], byte[]>, CancellationToken> handle)
    {
        config.EnableAutoOffsetStore = false;
        _running = Task.Factory.StartNew(
            () => Run(config, topic, handle), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>How often the group gave it partitions.</summary>
    public int Assignments => Volatile.Read(ref _assignments);

    /// <summary>Handles what it has in hand, commits and leaves.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    private void Run(ConsumerConfig config, string topic, Action<ConsumeResult<byte[], byte[]>, CancellationToken> handle)
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetPartitionsAssignedHandler((_, _) => { Interlocked.Increment(ref _assignments); })
            .SetLogHandler((_, _) => { })
            .Build();
        consumer.Subscribe(topic);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (consumer.Consume(100) is not { } result) continue;
                handle(result, _stop.Token);
                consumer.StoreOffset(result);
            }
            catch (KafkaException fault) when (fault.Error.Code is ErrorCode.Local_MaxPollExceeded or ErrorCode.Local_State)
            {
                // Put out of the group while it handled; the next call joins again.
            }
        }

        consumer.Close();
    }
}
