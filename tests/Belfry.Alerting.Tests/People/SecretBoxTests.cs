using System.Security.Cryptography;
using Belfry.Alerting.People;

namespace Belfry.Alerting.Tests.People;

public sealed class SecretBoxTests
{
    private static readonly SecretBox Box = BoxOf(1);

    [Fact]
    public void What_was_sealed_opens_for_its_owner_and_looks_different_each_time()
    {
        var (first, second) = (Sealed("s3cret é"), Sealed("s3cret é"));
        first.ShouldNotBe(second);
        first.ShouldNotContain("s3cret");
        Box.Open(first, "a").ShouldBe("s3cret é");
        Box.Open(second, "a").ShouldBe("s3cret é");
        Box.Open(Sealed(""), "a").ShouldBe("");
    }

    [Fact]
    public void Another_owner_or_a_changed_letter_does_not_open_it()
    {
        var text = Sealed("s3cret");
        Should.Throw<CryptographicException>(() => Box.Open(text, "b"));
        for (var at = text.LastIndexOf('.') + 1; at < text.Length; at++)
        {
            var changed = text[..at] + (text[at] == '0' ? '1' : '0') + text[(at + 1)..];
            Should.Throw<CryptographicException>(() => Box.Open(changed, "a"));
        }
    }

    [Theory]
    [InlineData("plain text")]
    [InlineData("1.00000000")]
    [InlineData("2.00000000.00")]
    public void What_is_not_sealed_says_so(string text) =>
        Should.Throw<CryptographicException>(() => Box.Open(text, "a")).Message.ShouldContain("'a' is not sealed");

    [Fact]
    public void A_former_key_opens_what_it_sealed_and_a_missing_one_is_named()
    {
        var text = Sealed("s3cret");
        var rotated = new SecretBox(KeyOf(2), KeyOf(1));
        rotated.HasKeyOf(text).ShouldBeTrue();
        rotated.Open(text, "a").ShouldBe("s3cret");
        var other = BoxOf(2);
        other.HasKeyOf(text).ShouldBeFalse();
        Should.Throw<CryptographicException>(() => other.Open(text, "a")).Message.ShouldContain($"key {text.Split('.')[1]}, which is not");
    }

    [Fact]
    public void A_key_of_another_length_is_refused() =>
        Should.Throw<ArgumentException>(() => new SecretBox(new byte[16])).Message.ShouldContain("32 bytes, this one 16");

    private static string Sealed(string text) => Box.Seal(text, "a", RandomNumberGenerator.Fill);

    private static SecretBox BoxOf(byte value) => new(KeyOf(value));

    private static byte[] KeyOf(byte value) => [.. Enumerable.Repeat(value, SecretBox.KeyBytes)];
}
