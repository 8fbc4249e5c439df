using Belfry.Log;
using Confluent.Kafka;
using TopicPartition = Belfry.Log.TopicPartition;

namespace Belfry.Kafka.Tests;

/// <summary>Clients that read: how many there are, how long one is kept, and who waits for whom.</summary>
public sealed class KafkaReadersTests : IAsyncLifetime
{
    private const int NotCoordinator = 16;
    private const int GroupAuthorizationFailed = 30;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TopicPartition Source = new("orders", 0);

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly ToldTime _time = new();
    private readonly HeldClients _clients = new();
    private readonly Said _said = new();
    private KafkaReaders? _readers;

    [SkippableFact]
    public async Task A_client_that_does_not_end_keeps_nobody_waiting_and_its_slot()
    {
        Native.Need();
        var readers = Readers("127.0.0.1:1", TimeProvider.System, TimeSpan.FromSeconds(0.5));
        _clients.HoldEnds();
        for (var n = 0; n < KafkaReaders.ReadersMax; n++)
            (await NotAnsweredAsync(AskAsync(readers, Never))).ShouldContain("was not answered within 00:00:00.5");
        var none = await NotAnsweredAsync(AskAsync(readers, Never));
        none.ShouldStartWith("Asking: all 4 clients ");
        none.ShouldContain(" s, until the 00:00:00.5000000 of RequestTimeout were over");
        none = await NotAnsweredAsync(readers.OffsetsAsync(Source, default));
        none.ShouldStartWith("Reading orders/0: all 4 clients ");
        _clients.Made.Items.Count.ShouldBe(KafkaReaders.ReadersMax);
        _clients.LetEnd();
        await _clients.Ended.UntilAsync(ended => ended.Count == KafkaReaders.ReadersMax);
        _clients.Ended.Items.ShouldAllBe(ofPool => !ofPool);
        // A slot is free a moment after its client has ended; who finds none meanwhile is refused, and makes no client.
        await TestLog.EventuallyAsync(async () => (await AskAsync(readers, static () => Task.FromResult(1))).ShouldBe(1));
        _clients.Made.Items.Count.ShouldBe(KafkaReaders.ReadersMax + 1);
    }

    [SkippableFact]
    public async Task A_question_that_is_asked_again_has_the_time_that_the_first_left()
    {
        Native.Need();
        var asked = new Watched<int>();
        var first = new TaskCompletionSource<int>();
        var readers = Readers("127.0.0.1:1", _time, Limit);
        var question = AskAsync(readers, () =>
        {
            asked.Add(0);
            return asked.Items.Count == 1 ? first.Task : Never();
        });
        await ArmedAsync(10);
        _time.Advance(6);
        first.SetException(NoCoordinator());
        await ArmedAsync(0.1);
        _time.Advance(0.1);
        await ArmedAsync(3.9);
        // Each call has its grace on top, for a client that hangs.
        await ArmedAsync(8.9);
        _time.Armed.Items.Select(wait => wait.TotalSeconds).ShouldBe([10, 15, 0.1, 3.9, 8.9], ignoreOrder: true);
        _time.Advance(3.9);
        (await NotAnsweredAsync(question)).ShouldContain("was not answered within 00:00:10");
        asked.Items.Count.ShouldBe(2);
    }

    [SkippableFact]
    public async Task A_question_that_has_no_time_left_ends_as_it_was_refused()
    {
        Native.Need();
        var readers = Readers("127.0.0.1:1", _time, Limit);
        var question = AskAsync(readers, static () => Task.FromException<int>(NoCoordinator()));
        await ArmedAsync(0.1);
        _time.Pass(9.9);
        _time.Advance(0.1);
        (await NotAnsweredAsync(question)).ShouldContain(nameof(ErrorCode.NotCoordinatorForGroup));
        _clients.Made.Items.Count.ShouldBe(1);
    }

    [SkippableFact]
    public async Task Who_waits_for_a_client_in_vain_is_told_how_long()
    {
        Native.Need();
        var first = new TaskCompletionSource<int>();
        var readers = Readers("127.0.0.1:1", _time, Limit);
        _clients.HoldEnds();
        var others = Enumerable.Range(0, KafkaReaders.ReadersMax - 1).Select(_ => AskAsync(readers, Never)).ToList();
        var question = AskAsync(readers, () => first.Task);
        await ArmedAsync(10, KafkaReaders.ReadersMax);
        _time.Advance(6);
        first.SetException(NoCoordinator());
        await ArmedAsync(0.1);
        _time.Advance(0.1);
        await ArmedAsync(3.9);
        _time.Advance(3.9);
        (await NotAnsweredAsync(question)).ShouldContain(" for 3.9 s, until the 00:00:10 of RequestTimeout were over");
        foreach (var other in others) await NotAnsweredAsync(other);
    }

    [SkippableFact]
    public async Task Where_a_partition_begins_and_ends_is_asked_within_one_limit_the_wait_for_a_client_included()
    {
        Native.Need();
        var given = new Watched<TimeSpan>();
        _clients.AnswerOffset = left =>
        {
            given.Add(left);
            _time.Advance(5);
            return given.Items.Count;
        };
        var taken = new TaskCompletionSource<int>();
        var readers = Readers("127.0.0.1:1", _time, Limit);
        var others = Enumerable.Range(0, KafkaReaders.ReadersMax - 1).Select(_ => AskAsync(readers, Never)).ToList();
        var before = AskAsync(readers, () => taken.Task);
        await ArmedAsync(10, KafkaReaders.ReadersMax);
        var offsets = readers.OffsetsAsync(Source, default);
        await ArmedAsync(10, KafkaReaders.ReadersMax + 1);
        _time.Advance(3);
        taken.SetResult(1);
        (await before.WaitAsync(Patience)).ShouldBe(1);
        (await offsets.WaitAsync(Patience)).ShouldBe((1, 2));
        given.Items.Select(left => left.TotalSeconds).ShouldBe([7, 2]);
        foreach (var other in others) await NotAnsweredAsync(other);
        _clients.AnswerOffset = left =>
        {
            given.Add(left);
            _time.Advance(10);
            return 0;
        };
        (await NotAnsweredAsync(readers.ReadAsync(Source, 0, 1, default))).ShouldContain("was not answered within 00:00:10");
        given.Items.Count.ShouldBe(3);
    }

    [SkippableFact]
    public async Task Who_gives_up_waits_for_no_call_of_the_client_and_that_keeps_its_slot()
    {
        Native.Need();
        using var giveUp = new CancellationTokenSource();
        using var mayAnswer = new ManualResetEventSlim();
        var asked = new Watched<TimeSpan>();
        _clients.AnswerOffset = left =>
        {
            asked.Add(left);
            mayAnswer.Wait();
            return 0;
        };
        var readers = Readers("127.0.0.1:1", _time, Limit);
        var calls = Enumerable.Range(0, KafkaReaders.ReadersMax).Select(_ => readers.OffsetsAsync(Source, giveUp.Token)).ToList();
        await asked.UntilAsync(lengths => lengths.Count == KafkaReaders.ReadersMax);
        await giveUp.CancelAsync();
        foreach (var call in calls) await Should.ThrowAsync<OperationCanceledException>(() => call.WaitAsync(Patience));
        var next = AskAsync(readers, static () => Task.FromResult(1));
        // It waits for a slot.
        await ArmedAsync(10);
        mayAnswer.Set();
        (await next.WaitAsync(Patience)).ShouldBe(1);
        // Each has answered its second question too, and is as good as before.
        await asked.UntilAsync(lengths => lengths.Count == KafkaReaders.ReadersMax * 2);
        _clients.Made.Items.Count.ShouldBe(KafkaReaders.ReadersMax);
    }

    [SkippableFact]
    public async Task A_call_that_does_not_come_back_is_given_up_after_its_grace_and_keeps_its_slot()
    {
        Native.Need();
        using var mayAnswer = new ManualResetEventSlim();
        var asked = new Watched<TimeSpan>();
        _clients.AnswerOffset = left =>
        {
            asked.Add(left);
            mayAnswer.Wait();
            return 0;
        };
        var readers = Readers("127.0.0.1:1", _time, Limit);
        var calls = Enumerable.Range(0, KafkaReaders.ReadersMax)
            .Select(n => n % 2 == 0 ? (Task)readers.OffsetsAsync(Source, default) : readers.ReadAsync(Source, 0, 1, default)).ToList();
        await asked.UntilAsync(lengths => lengths.Count == KafkaReaders.ReadersMax);
        await ArmedAsync(15, KafkaReaders.ReadersMax);
        _time.Advance(15);
        foreach (var call in calls)
            (await NotAnsweredAsync(call)).ShouldStartWith(
                "Reading orders/0: the client has not come back 00:00:05 after the 00:00:10 that it was given");
        var next = AskAsync(readers, static () => Task.FromResult(1));
        // It waits for a slot.
        await ArmedAsync(10);
        mayAnswer.Set();
        (await next.WaitAsync(Patience)).ShouldBe(1);
    }

    [SkippableFact]
    public async Task A_client_that_does_not_end_in_order_gives_its_slot_back_and_is_told_of()
    {
        Native.Need();
        _clients.EndFault = new InvalidOperationException("planted");
        var readers = Readers("127.0.0.1:1", TimeProvider.System, Patience);
        for (var n = 0; n < KafkaReaders.ReadersMax + 1; n++)
        {
            await Should.ThrowAsync<InvalidOperationException>(
                () => AskAsync(readers, static () => Task.FromException<int>(new InvalidOperationException())).WaitAsync(Patience));
            await _said.Lines.UntilAsync(
                lines => lines.Count(line => line.EndsWith("in order: planted", StringComparison.Ordinal)) == n + 1);
        }
    }

    [SkippableFact]
    public async Task A_client_is_kept_whatever_brokers_refuse_but_that_they_coordinate()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        var readers = Readers(cluster.Bootstrap, TimeProvider.System, Patience);
        (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        for (var round = 0; round < 3; round++)
        {
            cluster.Fail(ApiKey.OffsetFetch, GroupAuthorizationFailed);
            var refused = await Should.ThrowAsync<LogUnavailableException>(() => readers.CommittedAsync("g", Source, default));
            refused.Message.ShouldContain(nameof(ErrorCode.GroupAuthorizationFailed));
            (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        }

        _clients.Made.Items.Count.ShouldBe(1);
        cluster.Fail(ApiKey.OffsetFetch, NotCoordinator);
        (await readers.CommittedAsync("g", Source, default)).ShouldBeNull();
        _clients.Made.Items.Count.ShouldBe(2);
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
        _clients.Ended.Items.ShouldBeEmpty();
        answer.SetResult(2);
        (await question.WaitAsync(Patience)).ShouldBe(2);
        await _clients.Ended.UntilAsync(ended => ended.Count == 1);
        _clients.Made.Items.Count.ShouldBe(1);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _readers?.Dispose();
        await _clients.DisposeAsync();
    }

    /// <summary>Once so many timers of this length are armed.</summary>
    private Task ArmedAsync(double seconds, int times = 1) =>
        _time.Armed.UntilAsync(armed => armed.Count(wait => wait == TimeSpan.FromSeconds(seconds)) == times);

    private static KafkaException NoCoordinator() => new(ErrorCode.NotCoordinatorForGroup);

    private static Task<int> Never() => new TaskCompletionSource<int>().Task;

    private static Task<int> AskAsync(KafkaReaders readers, Func<Task<int>> answer) =>
        readers.AskCoordinatorAsync("Asking", _ => answer(), default);

    private static async Task<string> NotAnsweredAsync(Task question) =>
        (await Should.ThrowAsync<LogUnavailableException>(() => question.WaitAsync(Patience))).Message;

    private KafkaReaders Readers(string bootstrap, TimeProvider time, TimeSpan limit)
    {
        var options = TestLog.Options(bootstrap) with { RequestTimeout = limit };
        var voice = new ClientVoice(_said, time, tls: false, signsIn: false);
        _readers = new KafkaReaders(options, time, voice, () => _clients.Make(options, voice));
        return _readers;
    }
}
