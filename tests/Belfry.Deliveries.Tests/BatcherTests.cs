namespace Belfry.Deliveries.Tests;

public sealed class BatcherTests
{
    private readonly List<int[]> _batches = [];
    private TaskCompletionSource _gate = new();

    [Fact]
    public async Task What_arrives_during_a_call_goes_out_with_the_next()
    {
        var batcher = Batcher();
        var all = Enumerable.Range(1, 5).Select(i => batcher.AddAsync(i, default).AsTask()).ToArray();
        Open();
        (await Task.WhenAll(all)).ShouldBe([10, 20, 30, 40, 50]);
        _batches.ShouldBe([[1], [2, 3, 4, 5]]);
    }

    [Fact]
    public async Task A_batch_holds_a_key_once_and_no_more_than_its_limit()
    {
        var batcher = Batcher(max: 3);
        var all = new[] { 1, 2, 12, 3, 4, 5 }.Select(i => batcher.AddAsync(i, default).AsTask()).ToArray();
        Open();
        await Task.WhenAll(all);
        _batches.ShouldBe([[1], [2, 3, 4], [12, 5]]);
    }

    [Fact]
    public async Task As_many_calls_as_may_run_at_one_time_and_a_key_is_in_one_of_them()
    {
        var batcher = Batcher(running: 2);
        var all = new[] { 1, 11, 2, 3, 4 }.Select(i => batcher.AddAsync(i, default).AsTask()).ToArray();
        _batches.ShouldBe([[1], [2]]);
        Open();
        (await Task.WhenAll(all)).ShouldBe([10, 110, 20, 30, 40]);
        _batches.Skip(2).SelectMany(batch => batch).Order().ShouldBe([3, 4, 11]);
    }

    [Fact]
    public async Task A_bad_item_fails_alone()
    {
        var batcher = Batcher(bad: 3);
        var all = Enumerable.Range(1, 4).Select(i => batcher.AddAsync(i, default).AsTask()).ToArray();
        Open();
        await Should.ThrowAsync<InvalidOperationException>(() => all[2]);
        (await Task.WhenAll(all[0], all[1], all[3])).ShouldBe([10, 20, 40]);
    }

    [Fact]
    public async Task A_transient_fault_fails_its_whole_batch_once_and_the_next_call_works()
    {
        var batcher = Batcher(bad: 3, transient: true);
        var all = Enumerable.Range(1, 4).Select(i => batcher.AddAsync(i, default).AsTask()).ToArray();
        Open();
        await Should.ThrowAsync<InvalidOperationException>(() => all[1]);
        await Should.ThrowAsync<InvalidOperationException>(() => all[3]);
        (await batcher.AddAsync(4, default)).ShouldBe(40);
        _batches.ShouldBe([[1], [2, 3, 4], [4]]);
    }

    [Fact]
    public async Task A_cancelled_item_that_has_not_gone_out_never_does()
    {
        using var cancel = new CancellationTokenSource();
        var batcher = Batcher();
        var first = batcher.AddAsync(1, default).AsTask();
        var second = batcher.AddAsync(2, cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => second);
        Open();
        await first;
        await batcher.AddAsync(3, default);
        _batches.ShouldBe([[1], [3]]);
    }

    private void Open() => _gate.SetResult();

    private Batcher<int, int> Batcher(int max = 100, int running = 1, int? bad = null, bool transient = false)
    {
        _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return new Batcher<int, int>(
            async items =>
            {
                lock (_batches) _batches.Add([.. items]);
                await _gate.Task;
                if (bad is { } one && items.Contains(one)) throw new InvalidOperationException("bad");
                return [.. items.Select(i => i * 10)];
            },
            i => $"{i % 10}", max, running, _ => transient);
    }
}
