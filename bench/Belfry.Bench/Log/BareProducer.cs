using Confluent.Kafka;

namespace Belfry.Bench.Log;

/// <summary>
/// The rival of the writer: the client's own producer, as durable as ours and as well set up, called from one thread with one handler of
/// the reports.
/// </summary>
internal sealed class BareProducer : IDisposable
{
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly Action<DeliveryReport<byte[], byte[]>> _reported;
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;

    public BareProducer(string bootstrap)
    {
        _producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig
        {
            BootstrapServers = bootstrap, EnableIdempotence = true, Acks = Acks.All, LingerMs = 5, CompressionType = CompressionType.Lz4,
            BatchNumMessages = 10_000, SocketNagleDisable = true, QueueBufferingMaxKbytes = 256 << 10, DeliveryReportFields = "status",
        }).Build();
        _reported = report =>
        {
            if (report.Error.IsError) _failed.TrySetException(new KafkaException(report.Error));
            Interlocked.Decrement(ref _waiting);
        };
    }

    /// <summary>Hands one record over; waits while the client's queue is full.</summary>
    public void Produce(string topic, int partition, byte[] key, byte[] value)
    {
        Interlocked.Increment(ref _waiting);
        while (true)
        {
            try
            {
                _producer.Produce(
                    new TopicPartition(topic, partition), new Message<byte[], byte[]> { Key = key, Value = value }, _reported);
                return;
            }
            catch (ProduceException<byte[], byte[]> fault) when (fault.Error.Code == ErrorCode.Local_QueueFull)
            {
                Thread.Sleep(1);
            }
        }
    }

    /// <summary>One record, awaited by itself.</summary>
    public Task ProduceAsync(string topic, int partition, byte[] key, byte[] value) =>
        _producer.ProduceAsync(new TopicPartition(topic, partition), new Message<byte[], byte[]> { Key = key, Value = value });

    /// <summary>Returns once every record is acknowledged.</summary>
    /// <exception cref="KafkaException">One was not.</exception>
    public void AwaitAll()
    {
        while (Volatile.Read(ref _waiting) > 0 && !_failed.Task.IsCompleted) _producer.Flush(TimeSpan.FromMilliseconds(50));
        if (_failed.Task.IsFaulted) throw _failed.Task.Exception.InnerException!;
    }

    public void Dispose() => _producer.Dispose();
}
