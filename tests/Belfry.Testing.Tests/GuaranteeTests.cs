using Belfry.Log;

namespace Belfry.Testing.Tests;

public sealed class GuaranteeTests
{
    private static readonly TopicPartition Source = new("t", 0);

    [Fact]
    public void AtLeastOnce_misses_what_was_never_handled_and_what_nobody_accepted()
    {
        var guarantee = new AtLeastOnce();
        guarantee.Accepted("a");
        guarantee.Accepted("b");
        guarantee.Handled("a");
        guarantee.Handled("a");
        guarantee.Missing.ShouldBe(1);
        guarantee.Handled("ghost");
        var broken = Should.Throw<GuaranteeException>(guarantee.Verify);
        broken.Message.ShouldContain("b was never handled");
        broken.Message.ShouldContain("ghost");
    }

    [Fact]
    public void PerKeyOrder_allows_repetitions_and_flags_a_jump()
    {
        var guarantee = new PerKeyOrder();
        guarantee.Started("k", 0);
        guarantee.Ended("k", 0);
        guarantee.Started("k", 1);
        guarantee.Started("k", 0);
        guarantee.Verify();
        guarantee.Started("k", 2);
        Should.Throw<GuaranteeException>(guarantee.Verify).Message.ShouldContain("'k' 2 began while 1");
    }

    [Fact]
    public void OneAtATimePerKey_flags_an_overlap_unless_the_first_node_is_gone()
    {
        var guarantee = new OneAtATimePerKey();
        guarantee.Started("k", "a", "1");
        guarantee.NodeGone("a");
        guarantee.Started("k", "b", "1");
        guarantee.Ended("k", "a", "1");
        guarantee.Verify();
        guarantee.Started("k", "c", "2");
        Should.Throw<GuaranteeException>(guarantee.Verify);
    }

    [Fact]
    public void CommitNeverAhead_flags_a_commit_past_what_is_not_done()
    {
        var guarantee = new CommitNeverAhead();
        guarantee.Appended(Source, 0);
        guarantee.Appended(Source, 1);
        guarantee.Done(Source, 0);
        guarantee.Committed(Source, 1);
        guarantee.Verify();
        guarantee.Committed(Source, 2);
        Should.Throw<GuaranteeException>(guarantee.Verify).Message.ShouldContain("committed 2 while 1");
    }

    [Fact]
    public void CommitNeverAhead_flags_a_commit_that_goes_back()
    {
        var guarantee = new CommitNeverAhead();
        guarantee.Committed(Source, 5);
        guarantee.Committed(Source, 4);
        Should.Throw<GuaranteeException>(guarantee.Verify).Message.ShouldContain("from 5 to 4");
    }

    [Fact]
    public void NoDuplicateDelivery_flags_the_second_one()
    {
        var guarantee = new NoDuplicateDelivery();
        guarantee.Delivered("a");
        guarantee.Verify();
        guarantee.Delivered("a");
        Should.Throw<GuaranteeException>(guarantee.Verify);
    }
}
