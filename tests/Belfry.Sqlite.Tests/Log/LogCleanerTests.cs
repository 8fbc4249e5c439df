using System.Text;
using System.Threading.Channels;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging;

namespace Belfry.Sqlite.Tests;

public sealed class LogCleanerTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly Entries _entries = new();
    private readonly CancellationTokenSource _stop = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;
    private Task _running = Task.CompletedTask;

    public async Task InitializeAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        _log = await SqliteLog.OpenAsync(_file, _time);
        await _log.DeclareAsync(
            [
                new TopicDeclaration("broken", 1, CleanUp.Time, TimeSpan.FromHours(1)),
                new TopicDeclaration("sound", 1, CleanUp.Time, TimeSpan.FromHours(1)),
            ],
            default);
        await _log.AppendAsync([Record("broken"), Record("sound")], default);
        _time.Advance(TimeSpan.FromHours(2));
        _running = new LogCleaner(_log, new LogCleanerOptions(), _entries).RunAsync(_stop.Token);
    }

    public async Task DisposeAsync()
    {
        _stop.Cancel();
        await _running.WaitAsync(Patience);
        _stop.Dispose();
        await _file.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_fault_of_one_partition_is_logged_while_the_others_are_cleaned_and_it_is_tried_again()
    {
        await PlantAsync("create trigger planted before delete on log_record when old.value = x'62726F6B656E' "
            + "begin select raise(abort, 'planted'); end");
        await RoundAsync(TimeSpan.FromMinutes(1));
        var (level, fault) = await RoundAsync(TimeSpan.FromMinutes(1));
        level.ShouldBe(LogLevel.Error);
        fault.ShouldNotBeNull().GetBaseException().Message.ShouldContain("planted");
        (await CountAsync("sound"), await CountAsync("broken")).ShouldBe((0, 1));

        await PlantAsync("drop trigger planted");
        (level, _) = await RoundAsync(TimeSpan.FromMinutes(1));
        level.ShouldBe(LogLevel.Debug);
        (await CountAsync("broken")).ShouldBe(0);
    }

    [Fact]
    public async Task A_file_that_refuses_is_a_warning_and_the_pause_doubles_up_to_a_bound()
    {
        await using (await Outage.BeginAsync(_file))
            foreach (var minutes in (int[])[1, 2, 4, 4])
                (await RoundAsync(TimeSpan.FromMinutes(minutes))).Level.ShouldBe(LogLevel.Warning);
        (await RoundAsync(TimeSpan.FromMinutes(4))).Level.ShouldBe(LogLevel.Debug);
        (await CountAsync("sound")).ShouldBe(0);
        (await RoundAsync(TimeSpan.FromMinutes(1))).Level.ShouldBe(LogLevel.Debug);
    }

    /// <summary>Waits until the cleaner waits, lets the pause pass and nothing more, and returns what the round said.</summary>
    private async Task<(LogLevel Level, Exception? Fault)> RoundAsync(TimeSpan pause)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (_time.ArmedTimers == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        _time.Advance(pause - TimeSpan.FromSeconds(1));
        _time.ArmedTimers.ShouldBe(1, "the round came before its time");
        _time.Advance(TimeSpan.FromSeconds(1));
        return await _entries.Said.ReadAsync(limit.Token);
    }

    private async Task PlantAsync(string sql) => await _file.WriteAsync(connection =>
    {
        connection.Statement(sql).Run();
        return 0;
    }, default);

    private async Task<int> CountAsync(string topic) => (await _log.ReadAsync(new TopicPartition(topic, 0), 0, 10, default)).Count;

    private static OutgoingRecord Record(string topic) => new() { Topic = topic, OrderingKey = "k", Value = Encoding.UTF8.GetBytes(topic) };

    private sealed class Entries : ILogger
    {
        private readonly Channel<(LogLevel, Exception?)> _said = Channel.CreateUnbounded<(LogLevel, Exception?)>();

        public ChannelReader<(LogLevel Level, Exception? Fault)> Said => _said.Reader;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _said.Writer.TryWrite((logLevel, exception));
    }
}
