using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Log.Tests;

public sealed class OwnerSetTests
{
    private static readonly TopicPartition First = new("t", 0);
    private static readonly TopicPartition Second = new("t", 1);
    private static readonly TopicPartition Third = new("t", 2);
    private readonly Dictionary<TopicPartition, Owner> _made = [];
    private readonly Said _said = new();
    private readonly OwnerSet _owners;

    public OwnerSetTests() => _owners = new OwnerSet(
        new ConsumerGroup("g", ["t"]), (_, sources) => Make(sources[0]), new ConsumerOptions(),
        new ManualTime(DateTimeOffset.UnixEpoch), _said);

    /// <summary>Called as an owner is made.</summary>
    private Action<TopicPartition> Making { get; set; } = _ => { };

    [Fact]
    public void The_fault_of_an_owner_wakes_the_poll_and_stays_when_the_owner_is_let_go_of_meanwhile()
    {
        _owners.Assigned([First, Second]);
        _owners.Fault.ShouldBeNull();
        _owners.Faulted.IsCancellationRequested.ShouldBeFalse();
        Exception? seenByPoll = null;
        using var poll = _owners.Faulted.Register(() => seenByPoll = _owners.Fault);
        var fault = new InvalidOperationException("broken");
        _made[First].Fail(fault);
        seenByPoll.ShouldBe(fault);
        _owners.Lost([First]);
        _owners.Fault.ShouldBe(fault);
    }

    [Fact]
    public void How_an_owner_ends_that_was_let_go_of_concerns_nobody()
    {
        _owners.Assigned([First]);
        _owners.Lost([First]);
        _made[First].Fail(new InvalidOperationException("late"));
        _owners.Fault.ShouldBeNull();
        _owners.Faulted.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_held_or_done_beyond_the_last_commit_is_uncommitted()
    {
        await using var consumer = new Commits();
        _owners.Assigned([First]);
        _owners.AnyUncommitted.ShouldBeFalse();
        _made[First].Held = 1;
        _owners.AnyUncommitted.ShouldBeTrue();
        (_made[First].Held, _made[First].Mark) = (0, 7);
        _owners.AnyUncommitted.ShouldBeTrue();
        (await _owners.CommitBesideAsync(consumer, default)).ShouldBeTrue();
        consumer.Last.ShouldBe([new(First, 7)]);
        _owners.AnyUncommitted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_revocation_commits_only_after_the_commit_that_runs_beside_the_polls()
    {
        await using var consumer = new Commits { Answer = new TaskCompletionSource() };
        _owners.Assigned([First]);
        _made[First].Mark = 7;
        (await _owners.CommitBesideAsync(consumer, default)).ShouldBeFalse();
        _made[First].Mark = 9;
        var revoked = _owners.RevokedAsync(consumer, [First]).AsTask();
        consumer.Last.ShouldBe([new(First, 7)]);
        revoked.IsCompleted.ShouldBeFalse();
        consumer.Answer.SetResult();
        await revoked;
        consumer.Last.ShouldBe([new(First, 9)]);
    }

    [Fact]
    public async Task An_assignment_that_goes_on_in_a_poll_that_was_given_up_leaves_no_owner_running()
    {
        var (reached, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        Making = source =>
        {
            if (source != Second) return;
            reached.SetResult();
            gate.Task.GetAwaiter().GetResult();
        };
        var assigning = Task.Factory.StartNew(
            () => _owners.Assigned([First, Second, Third]), default, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await reached.Task;
        _owners.Deafen();
        await _owners.DrainAsync();
        _owners.Abandon();
        gate.SetResult();
        await assigning;
        _made[First].Token!.Value.IsCancellationRequested.ShouldBeTrue();
        _made.Values.ShouldAllBe(owner => owner.Token == null || owner.Token.Value.IsCancellationRequested);
        _owners.Count.ShouldBe(0);
    }

    [Fact]
    public void An_owner_that_is_let_go_of_before_it_was_started_never_runs()
    {
        var owner = new Owner();
        var owned = new OwnedPartition([First], owner);
        owned.Cancel(NullLogger.Instance);
        owned.Start((_, fault) => throw fault);
        owner.Token.ShouldBeNull();
    }

    [Fact]
    public void An_owners_callback_that_throws_as_it_is_let_go_of_is_logged_and_the_others_are_let_go_of_too()
    {
        _owners.Assigned([First, Second]);
        foreach (var owner in _made.Values) owner.Token!.Value.Register(() => throw new InvalidOperationException("has ended"));
        _owners.Abandon();
        _owners.Count.ShouldBe(0);
        _made.Values.ShouldAllBe(owner => owner.Token!.Value.IsCancellationRequested);
        _said.Lines.Count(line => line.StartsWith("Error: A callback") && line.Contains("has ended")).ShouldBe(2);
    }

    private Owner Make(TopicPartition source)
    {
        Making(source);
        return _made[source] = new Owner();
    }

    private sealed class Owner : IPartitionOwner
    {
        private readonly TaskCompletionSource _run = new();

        /// <summary>The one it was started with. Null: it was not.</summary>
        public CancellationToken? Token { get; private set; }

        public int Held { get; set; }
        public long? Mark { get; set; }

        public Task RunAsync(CancellationToken cancel)
        {
            Token = cancel;
            return _run.Task;
        }

        public void Offer(IReadOnlyList<LogRecord> records)
        {
        }

        public long? LowWaterMark(TopicPartition source) => Mark;

        public ValueTask StopAsync(CancellationToken cancel) => ValueTask.CompletedTask;

        public void Fail(Exception fault) => _run.SetException(fault);
    }

    private sealed class Commits : ILogConsumer
    {
        public IReadOnlyList<KeyValuePair<TopicPartition, long>> Last { get; private set; } = [];

        /// <summary>Commits end with it. Null: at once.</summary>
        public TaskCompletionSource? Answer { get; init; }

        public ValueTask CommitAsync(IReadOnlyList<KeyValuePair<TopicPartition, long>> nextOffsets, CancellationToken cancel)
        {
            Last = nextOffsets;
            return Answer is null ? ValueTask.CompletedTask : new ValueTask(Answer.Task);
        }

        public ValueTask<IReadOnlyList<LogRecord>> PollAsync(
            IAssignmentListener listener, int max, TimeSpan wait, CancellationToken cancel) => throw new NotSupportedException();

        public void Pause(TopicPartition source) => throw new NotSupportedException();

        public void Resume(TopicPartition source) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
