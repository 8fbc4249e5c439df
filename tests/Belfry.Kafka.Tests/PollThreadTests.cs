using Shouldly;
using Xunit;

namespace Belfry.Kafka.Tests;

public sealed class PollThreadTests
{
    [Fact]
    public async Task What_was_posted_runs_in_order_although_the_thread_is_completed_behind_it()
    {
        var thread = new PollThread("ends");
        var ran = new List<int>();
        thread.Post(() => ran.Add(1));
        var last = thread.RunAsync(() => ran.Add(2));
        thread.Complete();
        await last;
        ran.ShouldBe([1, 2]);
    }

    [Fact]
    public async Task The_thread_may_have_ended_while_it_is_still_being_completed()
    {
        var thread = new PollThread("ended");
        Thread? own = null;
        await thread.RunAsync(() => own = Thread.CurrentThread);
        thread.Complete();
        own.ShouldNotBeNull().Join();
        thread.Complete();
        thread.TryPost(() => Assert.Fail("It has ended."));
        Should.Throw<InvalidOperationException>(() => thread.Post(() => { })).ShouldNotBeOfType<ObjectDisposedException>();
    }
}
