using Belfry.Testing;

namespace Belfry.Log.Tests;

/// <summary>A log whose consumers can go bad in ways that the log itself does not tell of.</summary>
internal sealed class StallingLog(IPartitionedLog inner) : ForwardingLog(inner)
{
    /// <summary>Polls of consumers opened so far never return again.</summary>
    public bool HangsPolls { get; set; }

    /// <summary>Ends of pauses that get lost, of consumers opened so far.</summary>
    public bool LosesResumes { get; set; }

    /// <summary>Consumers opened while it is true fetch nothing: every partition is paused by nobody.</summary>
    public bool FetchesNothing { get; set; }

    /// <summary>Questions about offsets are never answered.</summary>
    public bool TellsNoOffsets { get; set; }

    public int Opened { get; private set; }

    /// <summary>What comes before an answer about offsets. Default: nothing.</summary>
    public Func<Task> BeforeOffsets { get; set; } = () => Task.CompletedTask;

    /// <summary>Questions about offsets that were asked, and the most that were under way at once.</summary>
    public (int Asked, int TogetherMax) Questions { get; private set; }

    private int _underWay;

    public override ILogConsumer OpenConsumer(ConsumerGroup group)
    {
        Opened++;
        return new Consumer(this, base.OpenConsumer(group), Opened, FetchesNothing);
    }

    public override async ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel)
    {
        Questions = (Questions.Asked + 1, Math.Max(Questions.TogetherMax, ++_underWay));
        try
        {
            await BeforeOffsets();
            if (TellsNoOffsets) return await new TaskCompletionSource<(long, long)>().Task;
            return await base.OffsetsAsync(source, cancel);
        }
        finally
        {
            _underWay--;
        }
    }

    private sealed class Consumer(StallingLog log, ILogConsumer inner, int number, bool fetchesNothing) : ILogConsumer
    {
        private bool _paused;

        public async ValueTask<IReadOnlyList<LogRecord>> PollAsync(
            IAssignmentListener listener, int max, TimeSpan wait, CancellationToken cancel)
        {
            if (log.HangsPolls && number == log.Opened) await new TaskCompletionSource().Task;
            return await inner.PollAsync(fetchesNothing && !_paused ? new Pausing(this, listener) : listener, max, wait, cancel);
        }

        public void Pause(TopicPartition source) => inner.Pause(source);

        public void Resume(TopicPartition source)
        {
            if (!log.LosesResumes) inner.Resume(source);
        }

        public ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel) =>
            inner.CommitAsync(nextOffsets, cancel);

        public ValueTask DisposeAsync() => inner.DisposeAsync();

        /// <summary>Leaks a pause at each assignment.</summary>
        private sealed class Pausing(Consumer consumer, IAssignmentListener listener) : IAssignmentListener
        {
            public void Assigned(IReadOnlyList<TopicPartition> partitions)
            {
                listener.Assigned(partitions);
                foreach (var source in partitions) consumer.Pause(source);
                consumer._paused = true;
            }

            public ValueTask RevokedAsync(ILogConsumer by, IReadOnlyList<TopicPartition> partitions) =>
                listener.RevokedAsync(by, partitions);

            public void Lost(IReadOnlyList<TopicPartition> partitions) => listener.Lost(partitions);
        }
    }
}
