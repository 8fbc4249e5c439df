using System.Globalization;
using System.Text;
using Belfry.Log;
using Shouldly;
using Xunit;

namespace Belfry.Testing;

/// <summary>
/// What every <see cref="IPartitionedLog"/> must do. A driver's test class derives from it and adds the fixture; a case that the
/// driver cannot meet is overridden with a named skip. Partials: this one appends and reads, others hold groups and clean-up.
/// </summary>
public abstract partial class LogSpec : IAsyncLifetime
{
    private readonly List<SpecMember> _members = [];

    /// <summary>The log under test, opened before each case.</summary>
    protected IPartitionedLog Log { get; private set; } = null!;

    /// <summary>
    /// Opens a log that holds none of this case's topics. Called once a case. Where the log's server is not to be had,
    /// <c>Skip.If</c> skips the case.
    /// </summary>
    protected abstract Task<IPartitionedLog> OpenAsync();

    /// <summary>Lets this much of the log's own time pass: advances its clock, or waits.</summary>
    protected abstract Task PassAsync(TimeSpan length);

    /// <summary>Runs retention and compaction over all topics now.</summary>
    protected abstract Task CleanAsync();

    /// <summary>As <see cref="CleanAsync"/>; a log whose server cleans by itself waits until it has.</summary>
    protected virtual Task CleanUntilAsync(Func<Task<bool>> isClean) => CleanAsync();

    /// <summary>Releases what <see cref="OpenAsync"/> made.</summary>
    protected virtual Task CloseAsync() => Task.CompletedTask;

    /// <summary>Put before topic and group names, so that cases may share a server. Default: empty.</summary>
    protected virtual string Prefix => "";

    /// <summary>Wait of one poll in a loop of polls. Zero by default; a log on real time takes some 20 ms.</summary>
    protected virtual TimeSpan PollWait => TimeSpan.Zero;

    /// <summary>Real time after which a case that waits for something gives up. Default 20 s.</summary>
    protected virtual TimeSpan Patience => TimeSpan.FromSeconds(20);

    public virtual async Task InitializeAsync() => Log = await OpenAsync();

    public virtual async Task DisposeAsync()
    {
        foreach (var member in _members) await member.DisposeAsync();
        await CloseAsync();
    }

    [SkippableFact]
    public virtual async Task Declaring_the_same_topic_again_changes_nothing()
    {
        await DeclareAsync("orders", 3);
        await AppendAsync("orders", "a");
        await DeclareAsync("orders", 3);
        (await EndsAsync("orders", 3)).Sum().ShouldBe(1);
    }

    [SkippableFact]
    public virtual async Task Declaring_another_partition_count_is_refused_and_names_both_counts()
    {
        await DeclareAsync("orders", 3);
        var error = await Should.ThrowAsync<TopicMismatchException>(async () => await DeclareAsync("orders", 4));
        error.Message.ShouldContain("3");
        error.Message.ShouldContain("4");
    }

    [SkippableFact]
    public virtual async Task A_new_topic_is_empty()
    {
        await DeclareAsync("orders", 2);
        (await Log.OffsetsAsync(At("orders", 1), default)).ShouldBe((0, 0));
        (await Log.ReadAsync(At("orders", 1), 0, 10, default)).ShouldBeEmpty();
    }

    [SkippableTheory]
    [InlineData("", 9)]
    [InlineData("a", 4)]
    [InlineData("21", 0)]
    [InlineData("abc", 3)]
    [InlineData("é", 3)]
    [InlineData("foobar", 6)]
    [InlineData("a-little-bit-long-string", 8)]
    [InlineData("incident-42", 6)]
    public virtual async Task The_partition_is_murmur2_of_the_ordering_key(string orderingKey, int partition)
    {
        await DeclareAsync("orders", 12);
        await Log.AppendAsync([Outgoing("orders", orderingKey, "x", key: "another key")], default);
        (await Log.OffsetsAsync(At("orders", partition), default)).End.ShouldBe(1);
    }

    [SkippableFact]
    public virtual async Task Records_of_a_partition_keep_the_order_of_the_list_and_of_the_calls()
    {
        await DeclareAsync("orders", 3);
        for (var call = 0; call < 4; call++)
            await Log.AppendAsync([.. Enumerable.Range(call * 25, 25).Select(n => Outgoing("orders", $"k{n % 7}", $"{n}"))], default);
        var total = 0;
        for (var partition = 0; partition < 3; partition++)
        {
            var records = await Log.ReadAsync(At("orders", partition), 0, 1000, default);
            var numbers = records.Select(r => int.Parse(Text(r), CultureInfo.InvariantCulture)).ToList();
            numbers.ShouldBe(numbers.Order());
            records.Select(r => r.Offset).ShouldBe(records.Select(r => r.Offset).Order());
            total += records.Count;
        }

        total.ShouldBe(100);
    }

    [SkippableFact]
    public virtual async Task Appends_from_many_callers_at_once_all_arrive_once_at_distinct_offsets()
    {
        await DeclareAsync("orders", 1);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(n => Log.AppendAsync([Outgoing("orders", "k", $"{n}")], default).AsTask()));
        var records = await Log.ReadAsync(At("orders", 0), 0, 1000, default);
        records.Select(r => int.Parse(Text(r), CultureInfo.InvariantCulture)).Order().ShouldBe(Enumerable.Range(0, 40));
        records.Select(r => r.Offset).Distinct().Count().ShouldBe(40);
    }

    [SkippableFact]
    public virtual async Task One_append_may_cover_several_topics()
    {
        await DeclareAsync("orders", 1);
        await DeclareAsync("bills", 1);
        await Log.AppendAsync([Outgoing("orders", "a", "1"), Outgoing("bills", "a", "2"), Outgoing("orders", "a", "3")], default);
        (await TextsAsync("orders", 0)).ShouldBe(["1", "3"]);
        (await TextsAsync("bills", 0)).ShouldBe(["2"]);
    }

    [SkippableFact]
    public virtual async Task An_empty_append_does_nothing()
    {
        await DeclareAsync("orders", 1);
        await Log.AppendAsync([], default);
        (await EndsAsync("orders", 1)).ShouldBe([0]);
    }

    [SkippableFact]
    public virtual async Task The_record_key_is_kept_apart_from_the_ordering_key()
    {
        await DeclareAsync("orders", 1);
        await Log.AppendAsync([Outgoing("orders", "order", "1", key: "own"), Outgoing("orders", "order", "2")], default);
        (await Log.ReadAsync(At("orders", 0), 0, 10, default)).Select(r => r.Key).ShouldBe(["own", "order"]);
    }

    [SkippableFact]
    public virtual async Task Headers_come_back_in_order_with_any_text()
    {
        await DeclareAsync("orders", 1);
        KeyValuePair<string, string>[] headers = [new("trace", "00-ä-\"1\""), new("id", ""), new("line", "a\r\nb\0c")];
        await Log.AppendAsync([Outgoing("orders", "a", "1") with { Headers = headers }, Outgoing("orders", "a", "2")], default);
        var records = await Log.ReadAsync(At("orders", 0), 0, 10, default);
        records[0].Headers.ShouldBe(headers);
        records[1].Headers.ShouldBeEmpty();
    }

    [SkippableFact]
    public virtual async Task Values_come_back_byte_by_byte_be_they_empty_or_full_of_zeroes_or_a_mebibyte()
    {
        await DeclareAsync("orders", 1);
        var large = new byte[1 << 20];
        new Random(7).NextBytes(large);
        byte[][] values = [[], [0], [0, 1, 0, 255, 0], large];
        await Log.AppendAsync([.. values.Select(v => Outgoing("orders", "a", "") with { Value = v })], default);
        var records = await Log.ReadAsync(At("orders", 0), 0, 10, default);
        records.Select(r => r.Value.Length).ShouldBe(values.Select(v => v.Length));
        for (var at = 0; at < values.Length; at++) records[at].Value.Span.SequenceEqual(values[at]).ShouldBeTrue($"value {at} differs");
    }

    [SkippableFact]
    public virtual async Task Keys_may_hold_any_text()
    {
        await DeclareAsync("orders", 1);
        string[] keys = ["", "a\0b", "né", "日本", "'; drop table records; --", new('x', 4000)];
        await Log.AppendAsync([.. keys.Select(k => Outgoing("orders", "same", "1", key: k))], default);
        (await Log.ReadAsync(At("orders", 0), 0, 10, default)).Select(r => r.Key).ShouldBe(keys);
    }

    [SkippableFact]
    public virtual async Task The_time_of_appending_is_UTC_and_does_not_go_back()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", "a", "b");
        await PassAsync(TimeSpan.FromMilliseconds(20));
        await AppendAsync("orders", "c");
        var times = (await Log.ReadAsync(At("orders", 0), 0, 10, default)).Select(r => r.AppendedAt).ToList();
        times.ShouldAllBe(t => t.Offset == TimeSpan.Zero);
        times.ShouldBe(times.Order());
        times[2].ShouldBeGreaterThan(times[0]);
    }

    [SkippableFact]
    public virtual async Task Reading_starts_at_the_offset_asked_for_and_stops_at_the_maximum()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", "0", "1", "2", "3", "4");
        var all = await Log.ReadAsync(At("orders", 0), 0, 10, default);
        (await Log.ReadAsync(At("orders", 0), all[2].Offset, 2, default)).Select(Text).ShouldBe(["2", "3"]);
        (await Log.ReadAsync(At("orders", 0), all[4].Offset + 1, 2, default)).ShouldBeEmpty();
    }

    [SkippableFact]
    public virtual async Task The_end_is_the_offset_after_the_last_record()
    {
        await DeclareAsync("orders", 1);
        await AppendAsync("orders", "0", "1", "2");
        var records = await Log.ReadAsync(At("orders", 0), 0, 10, default);
        var (start, end) = await Log.OffsetsAsync(At("orders", 0), default);
        start.ShouldBeLessThanOrEqualTo(records[0].Offset);
        end.ShouldBe(records[2].Offset + 1);
    }

    protected string Name(string name) => Prefix + name;

    protected TopicPartition At(string topic, int partition) => new(Name(topic), partition);

    protected static string Text(LogRecord record) => Encoding.UTF8.GetString(record.Value.Span);

    protected OutgoingRecord Outgoing(string topic, string orderingKey, string value, string? key = null) =>
        new() { Topic = Name(topic), OrderingKey = orderingKey, Key = key, Value = Encoding.UTF8.GetBytes(value) };

    protected ValueTask DeclareAsync(string topic, int partitions, CleanUp cleanUp = CleanUp.Time, TimeSpan? retention = null) =>
        Log.DeclareAsync([new TopicDeclaration(Name(topic), partitions, cleanUp, retention ?? TimeSpan.FromDays(7))], default);

    /// <summary>Appends these values in one call, all under ordering key "k".</summary>
    protected ValueTask AppendAsync(string topic, params string[] values) =>
        Log.AppendAsync([.. values.Select(v => Outgoing(topic, "k", v))], default);

    /// <summary>Appends <paramref name="each"/> records to every partition, valued "partition:n".</summary>
    protected async Task FillAsync(string topic, int partitions, int each)
    {
        var keys = KeysOf(partitions);
        await Log.AppendAsync(
            [.. from n in Enumerable.Range(0, each) from p in Enumerable.Range(0, partitions) select Outgoing(topic, keys[p], $"{p}:{n}")],
            default);
    }

    /// <summary>An ordering key for each partition.</summary>
    protected static string[] KeysOf(int partitions)
    {
        var keys = new string[partitions];
        for (int n = 0, found = 0; found < partitions; n++)
        {
            var partition = Partitioner.PartitionOf($"key-{n}", partitions);
            if (keys[partition] is not null) continue;
            keys[partition] = $"key-{n}";
            found++;
        }

        return keys;
    }

    protected async Task<List<string>> TextsAsync(string topic, int partition) =>
        [.. (await Log.ReadAsync(At(topic, partition), 0, 10_000, default)).Select(Text)];

    private async Task<List<long>> EndsAsync(string topic, int partitions)
    {
        var ends = new List<long>();
        for (var partition = 0; partition < partitions; partition++) ends.Add((await Log.OffsetsAsync(At(topic, partition), default)).End);
        return ends;
    }
}
