using System.Text;
using Belfry.Log;

namespace Belfry.Outbox.Tests;

/// <summary>Keeps what is appended in order; appends can be made to fail, before or after part of the records went in.</summary>
internal sealed class FakeLog : IPartitionedLog
{
    private readonly Lock _lock = new();
    private readonly List<string> _appended = [];

    /// <summary>Asked before each append: how many of its records go in before it fails; null lets it succeed.</summary>
    public Func<int?> FailsAfter { get; set; } = () => null;

    /// <summary>Runs inside each append, with its token.</summary>
    public Func<CancellationToken, Task> OnAppend { get; set; } = _ => Task.CompletedTask;

    public int Appends { get; private set; }

    public IReadOnlyList<string> Appended
    {
        get
        {
            lock (_lock) return [.. _appended];
        }
    }

    public static OutgoingRecord Record(string value) =>
        new() { Topic = "orders", OrderingKey = "k", Value = Encoding.UTF8.GetBytes(value) };

    public async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
    {
        await OnAppend(cancel);
        lock (_lock)
        {
            Appends++;
            var failsAfter = FailsAfter();
            _appended.AddRange(records.Take(failsAfter ?? records.Count).Select(r => Encoding.UTF8.GetString(r.Value.Span)));
            if (failsAfter is not null) throw new LogUnavailableException("planted");
        }
    }

    public ValueTask DeclareAsync(IReadOnlyList<TopicDeclaration> topics, CancellationToken cancel) => throw new NotSupportedException();
    public ILogConsumer OpenConsumer(ConsumerGroup group) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<LogRecord>> ReadAsync(TopicPartition source, long fromOffset, int max, CancellationToken cancel) =>
        throw new NotSupportedException();

    public ValueTask<(long Start, long End)> OffsetsAsync(TopicPartition source, CancellationToken cancel) =>
        throw new NotSupportedException();
    public ValueTask<long?> CommittedAsync(string group, TopicPartition source, CancellationToken cancel) =>
        throw new NotSupportedException();
}
