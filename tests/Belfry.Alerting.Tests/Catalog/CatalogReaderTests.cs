using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Alerting.Tests.Planning;
using Belfry.Alerting.Tests.Storage;
using Dapper;
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
}
