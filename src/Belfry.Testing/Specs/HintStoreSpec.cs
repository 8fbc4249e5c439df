using System.Text;
using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>What every <see cref="IHintStore"/> must do. Each case uses keys of its own.</summary>
public abstract class HintStoreSpec : IAsyncLifetime
{
    private readonly string _key = $"k-{Guid.NewGuid():N}";

    /// <summary>The hints under test, opened before each case.</summary>
    protected IHintStore Hints { get; private set; } = null!;

    protected abstract Task<IHintStore> OpenAsync();

    protected virtual Task CloseAsync() => Task.CompletedTask;

    /// <summary>Lets some milliseconds pass for the store, until what is asked is so.</summary>
    protected abstract Task PassUntilAsync(Func<Task<bool>> isSo);

    public virtual async Task InitializeAsync() => Hints = await OpenAsync();

    public virtual Task DisposeAsync() => CloseAsync();

    [Fact]
    public virtual async Task What_was_never_written_is_empty()
    {
        (await ValueAsync(_key)).ShouldBeNull();
        (await EntriesAsync(_key)).ShouldBeEmpty();
    }

    [Fact]
    public virtual async Task A_value_takes_the_place_of_the_one_before()
    {
        await WriteAsync(Value(_key, "1"));
        await WriteAsync(Value(_key, "2"));
        (await ValueAsync(_key)).ShouldBe("2");
    }

    [Fact]
    public virtual async Task A_first_value_changes_none_that_is_there()
    {
        await WriteAsync(First(_key, "1"));
        await WriteAsync(First(_key, "2"));
        (await ValueAsync(_key)).ShouldBe("1");
        await WriteAsync(Value(_key, "3"));
        await WriteAsync(First(_key, "4"));
        (await ValueAsync(_key)).ShouldBe("3");
    }

    [Fact]
    public virtual async Task An_expiry_changes_how_long_a_key_is_kept_and_nothing_else()
    {
        Hint ExpiryOf(string key, TimeSpan keptFor) => new() { Kind = HintKind.Expiry, Key = key, KeptFor = keptFor };
        await WriteAsync(Value(_key, "1"), Value(_key + "long", "2"), ExpiryOf(_key + "long", TimeSpan.FromHours(1)));
        await WriteAsync(ExpiryOf(_key, TimeSpan.FromMilliseconds(1)), ExpiryOf(_key + "none", TimeSpan.FromHours(1)));
        await PassUntilAsync(async () => await ValueAsync(_key) is null);
        (await ValueAsync(_key + "long")).ShouldBe("2");
        (await ValueAsync(_key + "none")).ShouldBeNull();
    }

    [Fact]
    public virtual async Task Hints_of_one_lot_are_written_in_their_order()
    {
        await WriteAsync(First(_key, "1"), Value(_key, "2"), First(_key, "3"), Entry("l" + _key, "a"), Entry("l" + _key, "b"));
        (await ValueAsync(_key)).ShouldBe("2");
        (await EntriesAsync("l" + _key)).ShouldBe(["b", "a"]);
    }

    [Fact]
    public virtual async Task A_list_is_read_newest_first_and_loses_its_oldest()
    {
        await WriteAsync(Entry(_key, "1"), Entry(_key, "2"));
        await WriteAsync(Entry(_key, "3"), Entry(_key, "4"));
        (await EntriesAsync(_key)).ShouldBe(["4", "3", "2"]);
        (await EntriesAsync(_key, max: 2)).ShouldBe(["4", "3"]);
        await WriteAsync([.. Enumerable.Range(5, 495).Select(i => Entry(_key, $"{i}"))]);
        (await EntriesAsync(_key)).ShouldBe(["499", "498", "497"]);
    }

    [Fact]
    public virtual async Task Values_are_answered_in_the_order_of_their_keys()
    {
        await WriteAsync(Value(_key + "a", "1"), Value(_key + "c", "3"));
        var found = (await Hints.ValuesAsync([_key + "c", _key + "b", _key + "a"], default))!;
        found.Select(value => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null).ShouldBe(["3", null, "1"]);
    }

    [Fact]
    public virtual async Task Bytes_come_back_as_they_were()
    {
        byte[] bytes = [.. Enumerable.Range(0, Hint.BytesMax).Select(i => (byte)i)];
        await WriteAsync(
            new Hint { Kind = HintKind.Value, Key = _key, Bytes = bytes, KeptFor = TimeSpan.FromMinutes(1) },
            new Hint { Kind = HintKind.Value, Key = _key + "e", Bytes = default, KeptFor = TimeSpan.FromMinutes(1) });
        var found = (await Hints.ValuesAsync([_key, _key + "e"], default))!;
        found[0]!.Value.ToArray().ShouldBe(bytes);
        found[1]!.Value.Length.ShouldBe(0);
    }

    [Fact]
    public virtual async Task What_is_out_of_bounds_is_refused_as_a_whole()
    {
        Hint[] bad =
        [
            Value("", "1"), Value("with space", "1"), Value("é", "1"), Value(new string('k', 201), "1"),
            Value(_key, new string('v', Hint.BytesMax + 1)), Value(_key, "1") with { KeptFor = TimeSpan.Zero },
            Entry(_key, "1") with { EntriesMax = 0 }, Entry(_key, "1") with { EntriesMax = 1_001 },
            Value(_key, "1") with { Kind = HintKind.Expiry },
        ];
        foreach (var hint in bad)
            await Should.ThrowAsync<ArgumentException>(async () => await Hints.WriteAsync([Value(_key + "good", "1"), hint], default));
        (await ValueAsync(_key + "good")).ShouldBeNull();
    }

    [Fact]
    public virtual async Task Writers_at_one_time_lose_nothing_of_each_other()
    {
        var writers = Enumerable.Range(0, 8).Select(async writer =>
        {
            for (var i = 0; i < 20; i++) await WriteAsync(Entry(_key, $"{writer}/{i}") with { EntriesMax = 1_000 });
        });
        await Task.WhenAll(writers);
        (await EntriesAsync(_key, max: 1_000)).Distinct().Count().ShouldBe(160);
    }

    protected static Hint Value(string key, string text) => Of(HintKind.Value, key, text);

    protected static Hint First(string key, string text) => Of(HintKind.FirstValue, key, text);

    protected static Hint Entry(string key, string text) => Of(HintKind.Entry, key, text) with { EntriesMax = 3 };

    protected async Task WriteAsync(params Hint[] hints) => (await Hints.WriteAsync(hints, default)).ShouldBeTrue();

    protected async Task<string?> ValueAsync(string key) =>
        (await Hints.ValuesAsync([key], default))!.Single() is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;

    protected async Task<IReadOnlyList<string>> EntriesAsync(string key, int max = 100) =>
        [.. (await Hints.EntriesAsync(key, max, default))!.Select(bytes => Encoding.UTF8.GetString(bytes.Span))];

    private static Hint Of(HintKind kind, string key, string text) =>
        new() { Kind = kind, Key = key, Bytes = Encoding.UTF8.GetBytes(text), KeptFor = TimeSpan.FromMinutes(5) };
}
