using System.Reflection;
using Belfry.Log;
using Belfry.Testing;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>Clients that read: how many there are, how long one is kept, and who waits for whom.</summary>
public sealed class KafkaReadersTests : IDisposable
{
    private const int NotCoordinator = 16;
    private const int GroupAuthorizationFailed = 30;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TopicPartition Source = new("orders", 0);

    private readonly ManualTime _time = new();
    private readonly Watched<string> _made = new();
    private readonly Watched<string> _ended = new();
    private readonly ManualResetEventSlim _mayEnd = new(true);

    [SkippableFact]
    public async Task A_client_that_does_not_end_keeps_nobody_waiting_and_its_slot()
    {
        Native.Need();
        using var readers = Readers("127.0.0.1:1", TimeProvider.System, TimeSpan.FromSeconds(0.5));
        _mayEnd.Reset();
        for (var n = 0; n < KafkaReaders.ReadersMax; n++)
            (await NotAnsweredAsync(AskAsync(readers, Never))).ShouldContain("was not answered within 00:00:00.5");
        var none = await NotAnsweredAsync(AskAsync(readers, Never));
        none.ShouldStartWith("Asking: all 4 clients ");
        none.ShouldContain("00:00:00.5000000 of RequestTimeout");
        none = await NotAnsweredAsync(readers.OffsetsAsync(Source, default));
        none.ShouldStartWith("Reading orders/0: all 4 clients ");
        _made.Items.Count.ShouldBe(KafkaReaders.ReadersMax);
        _mayEnd.Set();
        await _ended.UntilAsync(ended => ended.Count == KafkaReaders.ReadersMax);
        (await AskAsync(readers, static () => Task.FromResult(1)).WaitAsync(Patience)).ShouldBe(1);
        _made.Items.Count.ShouldBe(KafkaReaders.ReadersMax + 1);
    }

    [SkippableFact]
    public async Task A_question_that_is_asked_again_has_the_time_that_the_first_left()
    {
        Native.Need();
        var asked = new Watched<int>();
        var first = new TaskCompletionSource<int>();
        using var readers = Readers("127.0.0.1:1", _time, TimeSpan.FromSeconds(10));
        var question = AskAsync(readers, () =>
        {
            asked.Add(0);
            return asked.Items.Count == 1 ? first.Task : Never();
        });
        await asked.UntilAsync(times => times.Count == 1);
        await ArmedAsync();
        _time.Advance(TimeSpan.FromSeconds(6));
        first.SetException(new KafkaException(ErrorCode.NotCoordinatorForGroup));
        // Given up with the question: what is armed then is the wait before the next.
        await _ended.UntilAsync(ended => ended.Count == 1);
        await ArmedAsync();
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await asked.UntilAsync(times => times.Count == 2);
        await ArmedAsync();
        _time.Advance(TimeSpan.FromSeconds(3.8));
        question.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.1));
        (await NotAnsweredAsync(question)).ShouldContain("was not answered within 00:00:10");
    }

    [SkippableFact]
    public async Task A_client_is_kept_whatever_brokers_refuse_but_that_they_coordinate()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        using var readers = Readers(cluster.Bootstrap, TimeProvider.System, Patience);
        (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        for (var round = 0; round < 3; round++)
        {
            cluster.Fail(ApiKey.OffsetFetch, GroupAuthorizationFailed);
            var refused = await Should.ThrowAsync<LogUnavailableException>(() => readers.CommittedAsync("g", Source, default));
            refused.Message.ShouldContain(nameof(ErrorCode.GroupAuthorizationFailed));
            (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        }

        _made.Items.Count.ShouldBe(1);
        cluster.Fail(ApiKey.OffsetFetch, NotCoordinator);
        (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        _made.Items.Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_client_that_comes_back_after_the_end_is_ended_too()
    {
        Native.Need();
        var readers = Readers("127.0.0.1:1", TimeProvider.System, Patience);
        (await AskAsync(readers, static () => Task.FromResult(1))).ShouldBe(1);
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource<int>();
        var question = AskAsync(readers, () =>
        {
            asked.SetResult();
            return answer.Task;
        });
        await asked.Task.WaitAsync(Patience);
        readers.Dispose();
        _ended.Items.ShouldBeEmpty();
        answer.SetResult(2);
        (await question.WaitAsync(Patience)).ShouldBe(2);
        await _ended.UntilAsync(ended => ended.Count == 1);
        _made.Items.Count.ShouldBe(1);
    }

    public void Dispose() => _mayEnd.Dispose();

    private static Task<int> Never() => new TaskCompletionSource<int>().Task;

    private static Task<int> AskAsync(KafkaReaders readers, Func<Task<int>> answer) =>
        readers.AskCoordinatorAsync("Asking", _ => answer(), default);

    private static async Task<string> NotAnsweredAsync(Task question) =>
        (await Should.ThrowAsync<LogUnavailableException>(() => question.WaitAsync(Patience))).Message;

    private async Task ArmedAsync()
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (_time.ArmedTimers != 1)
        {
            TimeProvider.System.GetElapsedTime(startedAt).ShouldBeLessThan(Patience, $"{_time.ArmedTimers} timers are armed");
            await Task.Yield();
        }
    }

    private KafkaReaders Readers(string bootstrap, TimeProvider time, TimeSpan limit)
    {
        var options = TestLog.Options(bootstrap) with { RequestTimeout = limit };
        var voice = new ClientVoice(NullLogger.Instance, time, tls: false, signsIn: false);
        return new KafkaReaders(options, time, voice, () =>
        {
            var client = DispatchProxy.Create<IConsumer<byte[], byte[]>, Client>();
            ((Client)(object)client).Begin(KafkaReaders.Build(options, voice), this);
            return client;
        });
    }

    /// <summary>A real client that ends when it may.</summary>
    public class Client : DispatchProxy
    {
        private IConsumer<byte[], byte[]>? _real;
        private KafkaReadersTests? _test;

        internal void Begin(IConsumer<byte[], byte[]> real, KafkaReadersTests test)
        {
            (_real, _test) = (real, test);
            test._made.Add(real.Name);
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name != nameof(IDisposable.Dispose)) return targetMethod.Invoke(_real, args);
            _test!._mayEnd.Wait();
            _real!.Dispose();
            _test._ended.Add("");
            return null;
        }
    }
}
