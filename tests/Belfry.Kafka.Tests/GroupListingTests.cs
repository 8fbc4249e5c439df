namespace Belfry.Kafka.Tests;

/// <summary>A broker's list of groups, byte by byte.</summary>
public sealed class GroupListingTests
{
    [Fact]
    public void Groups_of_consumers_are_read_and_others_passed_over() =>
        GroupListing.Read(new WireReader(Answer(0, ("a", "consumer"), ("b", ""), ("c", "connect"), ("d", "share"), ("e", "consumer"))))
            .Names.ShouldBe(["a", "b", "e"]);

    [Fact]
    public void A_refusal_is_told_by_its_code() =>
        GroupListing.Read(new WireReader(Answer(14, ("a", "consumer")))).Error.ShouldBe((short)14);

    [Fact]
    public void An_answer_that_ends_too_early_is_no_answer()
    {
        var whole = Answer(0, ("a", "consumer"));
        for (var length = 0; length < whole.Length; length++)
        {
            var reader = new WireReader(whole[..length]);
            Should.Throw<InvalidDataException>(() => GroupListing.Read(reader));
        }
    }

    private static byte[] Answer(short error, params (string Name, string Type)[] groups)
    {
        var wire = new WireWriter();
        wire.Int32(0);
        wire.Int16(error);
        wire.CompactCount(groups.Length);
        foreach (var (name, type) in groups)
        {
            wire.CompactText(name);
            wire.CompactText(type);
            wire.NoTags();
        }

        wire.NoTags();
        return wire.ToArray();
    }
}
