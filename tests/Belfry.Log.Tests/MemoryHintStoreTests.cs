using Belfry.Testing;
using Shouldly;

namespace Belfry.Log.Tests;

public sealed class MemoryHintStoreTests : HintStoreSpec
{
    private readonly ManualTime _time = new();

    protected override Task<IHintStore> OpenAsync() =>
        Task.FromResult<IHintStore>(new MemoryHintStore(new MemoryHintStoreOptions { BytesMax = 100_000 }, _time));

    protected override async Task PassUntilAsync(Func<Task<bool>> isSo)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await isSo()).ShouldBeTrue();
    }

    [Fact]
    public async Task A_key_goes_when_it_was_not_written_for_its_time()
    {
        await WriteAsync(Value("v", "1"), Entry("l", "1"));
        _time.Advance(TimeSpan.FromMinutes(4));
        await WriteAsync(Entry("l", "2"));
        _time.Advance(TimeSpan.FromMinutes(1));
        (await ValueAsync("v")).ShouldBeNull();
        (await EntriesAsync("l")).ShouldBe(["2", "1"]);
        _time.Advance(TimeSpan.FromMinutes(4));
        (await EntriesAsync("l")).ShouldBeEmpty();
        (await Hints.WriteAsync([First("v", "2")], default)).ShouldBeTrue();
        (await ValueAsync("v")).ShouldBe("2");
    }

    [Fact]
    public async Task When_full_the_key_that_was_written_longest_ago_goes()
    {
        var store = (MemoryHintStore)Hints;
        for (var i = 0; i < 200; i++) await WriteAsync(Value($"k{i}", new string('v', 800)));
        store.Bytes.ShouldBeInRange(98_000, 100_000);
        (await ValueAsync("k99")).ShouldBeNull();
        (await ValueAsync("k199")).ShouldNotBeNull();
        for (var i = 0; i < 200; i++) await WriteAsync(Value("same", new string('v', 800)), Entry("list", new string('v', 800)));
        store.Bytes.ShouldBeInRange(98_000, 100_000);
        (await ValueAsync("k199")).ShouldNotBeNull();
    }
}
