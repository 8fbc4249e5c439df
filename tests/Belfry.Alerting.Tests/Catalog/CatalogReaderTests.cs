using System.Collections.Concurrent;
using System.Data.Common;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Alerting.Tests.Planning;
using Belfry.Alerting.Tests.Storage;
using Belfry.Outbox;
using Dapper;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Alerting.Tests.Catalog;

public class CatalogReaderTests : IDisposable
{
    private readonly Configuration _belfry;

    public CatalogReaderTests() : this(TestStore.OnSqlite)
    {
    }

    private protected CatalogReaderTests(StoreOpener open) => _belfry = new Configuration(open);

    public void Dispose() => _belfry.Dispose();

    [Fact]
    public async Task A_writer_of_this_process_sees_its_change_at_once()
    {
        var ada = await _belfry.UserAsync("ada", UserRole.Administrator);
        _belfry.Catalog.Current.User(ada.Id).ShouldBe(ada);
        _belfry.Catalog.Current.Fallback.ShouldBe([ada.Id]);
        _belfry.Catalog.Current.Version.ShouldBe(1);
    }

    [Fact]
    public async Task A_snapshot_in_hand_does_not_change()
    {
        await _belfry.UserAsync("ada");
        var before = _belfry.Catalog.Current;
        await _belfry.UserAsync("bob");
        before.Users.Count.ShouldBe(1);
        _belfry.Catalog.Current.Users.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Nothing_is_loaded_while_the_version_stands()
    {
        await _belfry.UserAsync("ada");
        var before = _belfry.Catalog.Current;
        await _belfry.Catalog.RefreshAsync(default);
        _belfry.Catalog.Current.ShouldBeSameAs(before);
    }

    [Fact]
    public async Task Another_process_sees_a_change_within_a_second_and_publishes_what_waits_within_five()
    {
        using var stop = new CancellationTokenSource();
        var other = new CatalogReader(_belfry.Store, _belfry.Log, _belfry.Time, NullLogger.Instance);
        var running = other.RunAsync(stop.Token);
        await ArmedAsync(2);
        await _belfry.UserAsync("ada");
        other.Current.Users.ShouldBeEmpty();

        _belfry.Time.Advance(TimeSpan.FromSeconds(1));
        await ArmedAsync(2);
        other.Current.Users.Count.ShouldBe(1);
        _belfry.Time.Advance(TimeSpan.FromSeconds(4));
        await UntilAsync(async () =>
        {
            if ((await _belfry.PublishedAsync()).Count == 0) return true;

            // Where its first look took longer than it took to get here, the next one is due later by as much.
            _belfry.Time.Advance(TimeSpan.FromMilliseconds(100));
            return false;
        });
        _belfry.Log.Of(_belfry.Topics.PlanningContactRules.Name).Count.ShouldBe(1);

        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_read_that_fails_for_no_want_of_the_store_is_logged_and_tried_again_with_the_last_known_configuration()
    {
        using var stop = new CancellationTokenSource();
        var said = new Said();
        var store = new BrittleStore(_belfry.Store);
        var other = new CatalogReader(store, _belfry.Log, _belfry.Time, said);
        await _belfry.UserAsync("ada");
        var running = other.RunAsync(stop.Token);
        await ArmedAsync(2);
        other.Current.Version.ShouldBe(1);

        var fault = new InvalidOperationException("a value of a newer release");
        store.NextRead = fault;
        await _belfry.UserAsync("bob");
        _belfry.Time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(() => Task.FromResult(store.NextRead is null));
        await ArmedAsync(2);
        other.Current.Version.ShouldBe(1);
        said.Entries.ShouldBe([(LogLevel.Error, fault)]);

        _belfry.Time.Advance(TimeSpan.FromSeconds(1));
        await ArmedAsync(2);
        other.Current.Version.ShouldBe(2);
        said.Entries.ShouldBe([(LogLevel.Error, fault), (LogLevel.Information, null)]);

        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Every_change_leaves_one_audit_row_with_who_before_and_after()
    {
        var ada = await _belfry.UserAsync("ada");
        await _belfry.People.UpdateUserAsync(
            ada.Id, new UserDraft("Ada", ada.Email, "UTC", UserRole.Manager), new Actor(ada.Id, "ada"), _belfry.Now, default);
        var newest = (await _belfry.Audit.ListAsync(0, 1, default)).Items.Single();
        (newest.Sequence, newest.Action, newest.Kind, newest.ObjectId, newest.By).ShouldBe(
            (5, "update", "user", ada.Id.ToString(), new Actor(ada.Id, "ada")));
        newest.Before!.ShouldContain("\"ada\"");
        newest.After!.ShouldContain("\"Ada\"");
        (await _belfry.Audit.FirstBrokenAsync(default)).ShouldBeNull();
    }

    [Theory]
    [InlineData("update audit_entry set actor_name = 'eve' where sequence = 3", 3)]
    [InlineData("update audit_entry set after_json = null where sequence = 1", 1)]
    [InlineData("delete from audit_entry where sequence = 2", 2)]
    [InlineData("delete from audit_entry where sequence = 8", 8)]
    [InlineData("delete from audit_entry", 1)]
    public async Task A_changed_or_missing_audit_row_breaks_the_chain(string tampering, long first)
    {
        await _belfry.UserAsync("ada");
        await _belfry.UserAsync("bob");
        await _belfry.Store.WriteAsync(tx => ValueTask.FromResult(tx.Connection.Execute(tampering)), default);
        (await _belfry.Audit.FirstBrokenAsync(default)).ShouldBe(first);
    }

    // The loops hold no lock and touch only memory: once both wait for the clock, they have done what there was.
    private Task ArmedAsync(int timers) => UntilAsync(() => Task.FromResult(_belfry.Time.ArmedTimers >= timers));

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (!await holds())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>The store of another process, of which one read fails.</summary>
    private sealed class BrittleStore(IOutboxStore inner) : IOutboxStore
    {
        private Exception? _nextRead;

        /// <summary>Thrown by the next read; null once it was.</summary>
        public Exception? NextRead
        {
            get => Volatile.Read(ref _nextRead);
            set => Volatile.Write(ref _nextRead, value);
        }

        public ValueTask<T> ReadAsync<T>(Func<DbConnection, ValueTask<T>> read, CancellationToken cancel) =>
            Interlocked.Exchange(ref _nextRead, null) is { } fault ? ValueTask.FromException<T>(fault) : inner.ReadAsync(read, cancel);

        public ValueTask<T> WriteAsync<T>(Func<OutboxTransaction, ValueTask<T>> work, CancellationToken cancel) =>
            inner.WriteAsync(work, cancel);

        public ValueTask<IReadOnlyList<OutboxMessage>> PendingAsync(string lane, int max, CancellationToken cancel) =>
            inner.PendingAsync(lane, max, cancel);

        public ValueTask DeleteAsync(string lane, IReadOnlyList<long> sequences, CancellationToken cancel) =>
            inner.DeleteAsync(lane, sequences, cancel);
    }

    private sealed class Said : ILogger
    {
        private readonly ConcurrentQueue<(LogLevel Level, Exception? Fault)> _entries = [];

        public IReadOnlyCollection<(LogLevel Level, Exception? Fault)> Entries => _entries;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, Microsoft.Extensions.Logging.EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            _entries.Enqueue((logLevel, exception));
    }
}
