namespace Belfry.Sqlite.Tests;

public sealed class RecordHeadersTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("trace", "00-ä\0")]
    [InlineData("😀", "a\r\nb")]
    public void Any_text_comes_back(string name, string value)
    {
        KeyValuePair<string, string>[] headers = [new(name, value), new("second", new string('x', 20_000))];
        RecordHeaders.Decode(RecordHeaders.Encode(headers)).ShouldBe(headers);
    }

    [Fact]
    public void None_are_null() => RecordHeaders.Encode([]).ShouldBeNull();

    [Fact]
    public void A_blob_cut_short_anywhere_is_refused_or_ends_between_two_headers()
    {
        var whole = RecordHeaders.Encode([new("name", "value"), new("other", "more")])!;
        var readable = Enumerable.Range(1, whole.Length - 1).Where(length =>
        {
            try
            {
                RecordHeaders.Decode(whole.AsSpan(0, length));
                return true;
            }
            catch (FormatException)
            {
                return false;
            }
        });
        readable.ShouldBe([11]);
    }

    [Fact]
    public void A_length_without_end_is_refused() =>
        Should.Throw<FormatException>(() => RecordHeaders.Decode([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]));
}
