using System.Reflection;
using Confluent.Kafka;

namespace Belfry.Kafka.Tests;

/// <summary>What the clients of a test do that a real one does only where a name server hangs. Any thread.</summary>
internal sealed class HeldClients : IAsyncDisposable
{
    private readonly ManualResetEventSlim _mayEnd = new(true);

    /// <summary>Of each that was made, its name.</summary>
    public Watched<string> Made { get; } = new();

    /// <summary>Of each that has ended: it did so on a thread of the pool.</summary>
    public Watched<bool> Ended { get; } = new();

    /// <summary>Takes the place of the question for a partition's two ends, by what it is given; null asks.</summary>
    public Func<TimeSpan, long>? AnswerOffset { get; set; }

    /// <summary>What the end of each fails with, once it has ended.</summary>
    public Exception? EndFault { get; set; }

    /// <summary>From now on none ends before <see cref="LetEnd"/>.</summary>
    public void HoldEnds() => _mayEnd.Reset();

    public void LetEnd() => _mayEnd.Set();

    /// <summary>A real client that ends when it may.</summary>
    public IConsumer<byte[], byte[]> Make(KafkaLogOptions options, ClientVoice voice)
    {
        var client = DispatchProxy.Create<IConsumer<byte[], byte[]>, Client>();
        ((Client)(object)client).Begin(KafkaReaders.Build(options, voice), this);
        return client;
    }

    /// <summary>Once all have ended: what ends in the background reads this.</summary>
    public async ValueTask DisposeAsync()
    {
        LetEnd();
        await Ended.UntilAsync(ended => ended.Count == Made.Items.Count);
        _mayEnd.Dispose();
    }

    public class Client : DispatchProxy
    {
        private IConsumer<byte[], byte[]>? _real;
        private HeldClients? _clients;

        internal void Begin(IConsumer<byte[], byte[]> real, HeldClients clients)
        {
            (_real, _clients) = (real, clients);
            clients.Made.Add(real.Name);
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IDisposable.Dispose)) return End();
            if (targetMethod.Name != nameof(_real.OffsetsForTimes) || _clients!.AnswerOffset is not { } answer)
                return targetMethod.Invoke(_real, args);
            var asked = ((IEnumerable<TopicPartitionTimestamp>)args![0]!).Single();
            return new List<TopicPartitionOffset> { new(asked.TopicPartition, answer((TimeSpan)args[1]!)) };
        }

        private object? End()
        {
            _clients!._mayEnd.Wait();
            _real!.Dispose();
            _clients.Ended.Add(Thread.CurrentThread.IsThreadPoolThread);
            return _clients.EndFault is { } fault ? throw fault : null;
        }
    }
}
