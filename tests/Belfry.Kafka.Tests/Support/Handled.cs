using Belfry.Log;

namespace Belfry.Kafka.Tests;

/// <summary>Owners that are done with what they are given, and what all of them were given.</summary>
internal sealed class Handled
{
    private readonly Lock _lock = new();
    private readonly HashSet<(TopicPartition, long)> _seen = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Distinct
    {
        get
        {
            lock (_lock) return _seen.Count;
        }
    }

    public IPartitionOwner Owner(int partition, IReadOnlyList<TopicPartition> sources) => new DoneOwner(this);

    public async Task UntilAsync(int count)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (_seen.Count >= count) return;
                more = _more.Task;
            }

            await more.WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        }
    }

    private void Add(IReadOnlyList<LogRecord> records)
    {
        lock (_lock)
        {
            foreach (var record in records) _seen.Add((record.Source, record.Offset));
            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private sealed class DoneOwner(Handled handled) : IPartitionOwner
    {
        private readonly TaskCompletionSource _stopped = new();
        private long? _next;

        public int Held => 0;

        public async Task RunAsync(CancellationToken cancel) => await _stopped.Task.WaitAsync(cancel);

        public void Offer(IReadOnlyList<LogRecord> records)
        {
            foreach (var record in records)
            {
                if (_next is { } next) record.Offset.ShouldBeGreaterThanOrEqualTo(next);
                _next = record.Offset + 1;
            }

            handled.Add(records);
        }

        public long? LowWaterMark(TopicPartition source) => _next;

        public ValueTask StopAsync(CancellationToken cancel)
        {
            _stopped.TrySetResult();
            return ValueTask.CompletedTask;
        }
    }
}
