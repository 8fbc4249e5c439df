using Belfry.Cluster;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Server.Hosting;
using Belfry.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Server.Tests.Hosting;

public sealed class StartPatienceTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_part_that_does_not_answer_yet_is_asked_again_with_growing_pauses()
    {
        var asked = 0;
        var start = Patience(60).UntilAnsweredAsync<int>("the log", () => ++asked < 4 ? throw Away() : Task.FromResult(7), default);
        foreach (var (times, pauseMs) in new[] { (1, 250), (2, 500), (3, 1_000) })
        {
            await WaitsAsync();
            asked.ShouldBe(times);
            _time.Advance(TimeSpan.FromMilliseconds(pauseMs - 1));
            asked.ShouldBe(times);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        (await start.WaitAsync(Bound)).ShouldBe(7);
    }

    [Fact]
    public async Task One_bound_holds_for_all_steps_together_and_then_the_fault_comes_out()
    {
        var patience = Patience(1);
        var away = 1;
        await StepAsync(patience.UntilAnsweredAsync<bool>("one", () => away-- > 0 ? throw Away() : Task.FromResult(true), default), 250);
        var second = patience.UntilAnsweredAsync<bool>("two", () => throw new StoreUnavailableException("away"), default);

        // 250 and 500 ms, and then no more is left.
        foreach (var pauseMs in (int[])[250, 500])
        {
            await WaitsAsync();
            second.IsCompleted.ShouldBeFalse();
            _time.Advance(TimeSpan.FromMilliseconds(pauseMs));
        }

        await Should.ThrowAsync<StoreUnavailableException>(second.WaitAsync(Bound));
    }

    [Fact]
    public async Task What_is_wrong_and_not_away_comes_out_at_once()
    {
        await Should.ThrowAsync<InvalidOperationException>(
            Patience(60).UntilAnsweredAsync<bool>("the log", () => throw new InvalidOperationException("wrong"), default));
        await Should.ThrowAsync<LogUnavailableException>(Patience(0).UntilAnsweredAsync<bool>("the log", () => throw Away(), default));
    }

    [Theory]
    [InlineData("00:00:05", null)]
    [InlineData("00:00:00", null)]
    [InlineData("-00:00:05", "StartWait")]
    [InlineData("5 s", "StartWait")]
    public void The_wait_is_read_from_the_configuration(string text, string? fault)
    {
        var faults = new List<string>();
        var options = ClusterOptions.Read(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Belfry:Kafka:BootstrapServers"] = "kafka:9092",
            ["Belfry:Postgres:ConnectionString"] = "Host=db",
            ["Belfry:StartWait"] = text,
        }).Build(), faults);
        if (fault is null) options!.StartWait.ShouldBe(TimeSpan.Parse(text, System.Globalization.CultureInfo.InvariantCulture));
        else faults.ShouldHaveSingleItem().ShouldContain(fault);
    }

    private async Task StepAsync(Task<bool> step, int pauseMs)
    {
        await WaitsAsync();
        _time.Advance(TimeSpan.FromMilliseconds(pauseMs));
        (await step.WaitAsync(Bound)).ShouldBeTrue();
    }

    /// <summary>Until the start has armed its pause.</summary>
    private async Task WaitsAsync()
    {
        using var limit = new CancellationTokenSource(Bound);
        while (_time.ArmedTimers == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private StartPatience Patience(int seconds) => new(TimeSpan.FromSeconds(seconds), _time, NullLogger.Instance);

    private static LogUnavailableException Away() => new("away");
}
