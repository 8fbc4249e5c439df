using System.Text;
using Belfry.Deliveries.Tests.Support;
using Belfry.Testing;

namespace Belfry.Deliveries.Tests.Audit;

public sealed class AuditChannelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-audit-").FullName;

    private string FilePath => Path.Combine(_folder, "audit.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Lines_are_numbered_and_chained()
    {
        Write("a", "b", "c");
        var entries = AuditFile.ReadAll(FilePath).ToList();
        entries.Select(e => (e.Sequence, e.Key)).ShouldBe([(1, "a"), (2, "b"), (3, "c")]);
        entries[1].Previous.ShouldBe(entries[0].Hash);
        entries[2].Previous.ShouldBe(entries[1].Hash);
        entries.Select(e => e.Hash).Distinct().Count().ShouldBe(3);
        Encoding.UTF8.GetString(entries[0].Content.Span).ShouldBe("content a\n");
    }

    [Fact]
    public void A_repeat_adds_nothing_also_after_a_restart()
    {
        Write("a", "b", "a");
        Write("b", "c");
        AuditFile.ReadAll(FilePath).Select(e => e.Key).ShouldBe(["a", "b", "c"]);
    }

    [Fact]
    public void Every_changed_removed_or_moved_line_is_found()
    {
        Write("a", "b", "c");
        var lines = File.ReadAllLines(FilePath);
        Damaged([lines[0], lines[1].Replace("\"b\"", "\"x\""), lines[2]], 2);
        Damaged([lines[1], lines[2]], 1);
        Damaged([lines[0], lines[2]], 2);
        Damaged([lines[0], lines[2], lines[1]], 2);
        Damaged([lines[0], "{}", lines[2]], 2);
        Damaged([lines[0], lines[1], lines[2], lines[2]], 4);
    }

    [Fact]
    public void A_torn_last_line_is_cut_off_and_the_chain_goes_on()
    {
        Write("a", "b");
        var whole = File.ReadAllBytes(FilePath);
        for (var cut = 1; cut < 40; cut++)
        {
            File.WriteAllBytes(FilePath, [.. whole, .. whole[..cut].Where(b => b != '\n')]);
            Write("c");
            AuditFile.ReadAll(FilePath).Select(e => e.Key).ShouldBe(["a", "b", "c"]);
        }
    }

    [Fact]
    public void Keys_are_remembered_up_to_the_limit_the_newest_first()
    {
        using var file = new AuditFile(FilePath, keysMax: 2);
        foreach (var key in new[] { "a", "b", "c" }) file.Append(key, "r", default, Sample.Now).ShouldBeTrue();
        file.Append("b", "r", default, Sample.Now).ShouldBeFalse();
        file.Append("a", "r", default, Sample.Now).ShouldBeTrue();
    }

    [Fact]
    public async Task A_delivery_becomes_a_line()
    {
        using (var file = new AuditFile(FilePath))
        {
            var channel = new AuditChannel(file, new ManualTime());
            (await channel.SendAsync(Sample.Delivery("a", "x"u8.ToArray()), 1, default)).ShouldBe(new SendOutcome.Sent(null));
            (await channel.SendAsync(Sample.Delivery("a", "x"u8.ToArray()), 2, default)).ShouldBe(new SendOutcome.Sent(null));
        }

        var entry = AuditFile.ReadAll(FilePath).ShouldHaveSingleItem();
        (entry.Key, entry.Recipient, entry.At).ShouldBe(("a", "bob", Sample.Now));
    }

    private void Write(params string[] keys)
    {
        using var file = new AuditFile(FilePath);
        foreach (var key in keys) file.Append(key, "bob", Encoding.UTF8.GetBytes($"content {key}\n"), Sample.Now);
    }

    private void Damaged(string[] lines, int at)
    {
        File.WriteAllLines(FilePath, lines);
        Should.Throw<InvalidDataException>(() => AuditFile.ReadAll(FilePath).Count()).Message.ShouldContain($"line {at}:");
        Should.Throw<InvalidDataException>(() => new AuditFile(FilePath));
    }
}
