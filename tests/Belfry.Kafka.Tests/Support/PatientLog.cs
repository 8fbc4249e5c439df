using Belfry.Log;

namespace Belfry.Kafka.Tests;

/// <summary>
/// A log whose "unavailable, retryable" is heeded, as every user of the seam must: what was asked is asked again, for a minute at most.
/// Appends are not, for a repetition may append twice; the client itself repeats those.
/// </summary>
internal sealed class PatientLog(IPartitionedLog log, TimeProvider time) : IPartitionedLog
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private int _askedAgain;

    /// <summary>How often something was unavailable.</summary>
    public int AskedAgain => _askedAgain;

    public async ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) =>
        await RepeatAsync(() => DoneAsync(log.DeclareAsync(topics, cancel)), Patience, cancel);

    public ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel) => log.AppendAsync(records, cancel);

    public ILogConsumer OpenConsumer(ConsumerGroup group) => new Consumer(this, log.OpenConsumer(group));

    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        RepeatAsync(() => log.ReadAsync(source, fromOffset, max, cancel), Patience, cancel);

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        RepeatAsync(() => log.OffsetsAsync(source, cancel), Patience, cancel);

    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        RepeatAsync(() => log.CommittedAsync(group, source, cancel), Patience, cancel);

    private async ValueTask<T> RepeatAsync<T>(Func<ValueTask<T>> ask, TimeSpan patience, CancellationToken cancel)
    {
        for (var since = time.GetTimestamp(); ;)
        {
            try
            {
                return await ask();
            }
            catch (LogUnavailableException) when (time.GetElapsedTime(since) < patience)
            {
                Interlocked.Increment(ref _askedAgain);
                await Task.Delay(Pause, time, cancel);
            }
        }
    }

    private static async ValueTask<bool> DoneAsync(ValueTask task)
    {
        await task;
        return true;
    }

    private sealed class Consumer(PatientLog log, ILogConsumer consumer) : ILogConsumer
    {
        /// <summary>A poll that fails goes on for what is left of its wait; then it has brought nothing.</summary>
        public async ValueTask<IReadOnlyList<LogRecord>> PollAsync(
            IAssignmentListener listener, int max, TimeSpan wait, CancellationToken cancel)
        {
            var since = log.Time.GetTimestamp();
            while (true)
            {
                var rest = wait - log.Time.GetElapsedTime(since);
                try
                {
                    return await consumer.PollAsync(new Listener(listener, this), max, rest > TimeSpan.Zero ? rest : TimeSpan.Zero, cancel);
                }
                catch (LogUnavailableException)
                {
                    Interlocked.Increment(ref log._askedAgain);
                    if (rest <= TimeSpan.Zero) return [];
                }
            }
        }

        public void Pause(TopicPartition source) => consumer.Pause(source);

        public void Resume(TopicPartition source) => consumer.Resume(source);

        public async ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel) =>
            await log.RepeatAsync(() => DoneAsync(consumer.CommitAsync(nextOffsets, cancel)), Patience, cancel);

        public ValueTask DisposeAsync() => consumer.DisposeAsync();
    }

    /// <summary>What a revocation commits is repeated as well.</summary>
    private sealed class Listener(IAssignmentListener listener, Consumer patient) : IAssignmentListener
    {
        public void Assigned(IReadOnlyList<TopicPartition> partitions) => listener.Assigned(partitions);

        public ValueTask RevokedAsync(ILogConsumer consumer, IReadOnlyList<TopicPartition> partitions) =>
            listener.RevokedAsync(patient, partitions);

        public void Lost(IReadOnlyList<TopicPartition> partitions) => listener.Lost(partitions);
    }

    private TimeProvider Time => time;
}
