namespace Belfry.Redis.Tests;

public sealed class ClaimKeysTests
{
    private static readonly string[] Texts =
    [
        "", "a", "A", "a:b", "#", "#a", "é", "e", "\0",
        new string('x', ClaimKeys.PlainCharsMax), new string('x', ClaimKeys.PlainCharsMax + 1),
        new string('x', 10_000), new string('x', 9_999) + "y", "\ud800", "\udc00", "\ufffd", "\ud800\ud800",
    ];

    [Fact]
    public void No_two_texts_share_a_name() => Texts.Select(text => ClaimKeys.KeyOf("p:", text)).Distinct().Count().ShouldBe(Texts.Length);

    [Fact]
    public void The_hash_of_a_text_as_a_text_is_another_name()
    {
        var name = ClaimKeys.KeyOf("", "é")["claim:".Length..];
        ClaimKeys.KeyOf("", name).ShouldNotBe(ClaimKeys.KeyOf("", "é"));
    }

    [Fact]
    public void A_name_takes_a_bounded_number_of_bytes()
    {
        foreach (var text in Texts)
        {
            var name = ClaimKeys.KeyOf("p:", text);
            name.All(char.IsAscii).ShouldBeTrue();
            name.Length.ShouldBeLessThanOrEqualTo("p:claim:".Length + ClaimKeys.PlainCharsMax);
            ClaimKeys.Processing(text).Length.ShouldBeLessThanOrEqualTo("P:".Length + ClaimKeys.PlainCharsMax);
        }
    }

    [Fact]
    public void What_is_short_can_be_read() => ClaimKeys.KeyOf("belfry:", "n-1:sms#2").ShouldBe("belfry:claim:n-1:sms#2");

    [Fact]
    public void No_owner_looks_like_an_end() => Texts.ShouldAllBe(text => ClaimKeys.Processing(text) != ClaimKeys.Completed);
}
