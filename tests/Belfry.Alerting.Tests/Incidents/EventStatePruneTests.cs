using System.Globalization;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Tests.Storage;
using Belfry.Outbox;
using Dapper;

namespace Belfry.Alerting.Tests.Incidents;

public class EventStatePruneTests : IDisposable
{
    private const int Partitions = 12;
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly TestStore _opened;

    public EventStatePruneTests() : this(TestStore.OnSqlite)
    {
    }

    private protected EventStatePruneTests(StoreOpener open) => _opened = open(IncidentsSchema.Steps);

    public void Dispose() => _opened.Dispose();

    [Fact]
    public async Task Whichever_partition_comes_removes_the_old_states_of_all_in_lots_and_says_whether_there_is_more()
    {
        await WriteAsync(IncidentTables.PruneRowsMax + 100, Now.AddDays(-20));
        await WriteAsync(50, Now.AddDays(-13));
        (await PruneAsync(3)).ShouldBeTrue();
        (await CountAsync()).ShouldBe(150);
        (await PruneAsync(7)).ShouldBeFalse();
        (await CountAsync()).ShouldBe(50);
        (await PruneAsync(3)).ShouldBeFalse();
        (await CountAsync()).ShouldBe(50);
    }

    [Fact]
    public async Task A_state_of_an_old_event_that_was_processed_lately_stays()
    {
        await WriteAsync(30, Now.AddDays(-20), processedAt: Now.AddDays(-1));
        await PruneAsync(0);
        (await CountAsync()).ShouldBe(30);
    }

    [Fact]
    public async Task The_old_ones_are_found_by_a_range_of_their_key()
    {
        await WriteAsync(3_000, Now.AddDays(-20));
        await WriteAsync(3_000, Now.AddDays(-1));
        await MultiplyAsync(Now.AddDays(-2));
        var plan = await ExplainAsync();
        if (_opened.Dialect == SqlDialect.Sqlite)
        {
            plan.ShouldContain("SEARCH event_state USING PRIMARY KEY (id<?)");
            plan.ShouldNotContain("SCAN event_state");
        }
        else
        {
            plan.Contains("Index Scan using event_state_pkey on event_state", StringComparison.Ordinal).ShouldBeTrue(plan);
            plan.Contains("Index Cond: (id < ", StringComparison.Ordinal).ShouldBeTrue(plan);
            plan.Contains("Seq Scan", StringComparison.Ordinal).ShouldBeFalse(plan);
        }
    }

    /// <summary>Ids in order of time, lots of a few of each partition in turn.</summary>
    private async Task WriteAsync(int count, DateTimeOffset from, DateTimeOffset? processedAt = null) =>
        await _opened.Store.WriteAsync(tx =>
        {
            foreach (var (at, lot) in Enumerable.Range(0, count).Chunk(50).Index())
                IncidentTables.Write(tx.Connection, at % Partitions,
                [
                    .. lot.Select(n => from.AddMilliseconds(n)).Select(made => new EventState(
                        new EventId(Guid.CreateVersion7(made)), IncidentDesk.Inlet, "disk", EventProgress.Processed, null, null,
                        processedAt ?? made)),
                ]);
            return ValueTask.FromResult(true);
        }, default);

    /// <summary>Makes 32 of each state from then on, as of a busy day: of a small table the whole is read with good reason.</summary>
    private async Task MultiplyAsync(DateTimeOffset since) => await _opened.Store.WriteAsync(tx =>
    {
        foreach (var more in (string[])["a", "b", "c", "d", "e"])
            tx.Connection.Execute(
                "insert into event_state (id, partition_no, integration_id, dedup_key, progress, reason, incident_id, at_ms) " +
                "select id || @more, partition_no, integration_id, dedup_key, progress, reason, incident_id, at_ms " +
                "from event_state where at_ms > @since",
                new { more, since = since.ToUnixTimeMilliseconds() });
        return ValueTask.FromResult(true);
    }, default);

    private async Task<bool> PruneAsync(int partition) => await _opened.Store.WriteAsync(
        tx => ValueTask.FromResult(IncidentTables.Prune(tx.Connection, _opened.Dialect, partition, Now)), default);

    private async Task<long> CountAsync() => await _opened.Store.ReadAsync(
        connection => ValueTask.FromResult(connection.ExecuteScalar<long>("select count(*) from event_state")), default);

    private async Task<string> ExplainAsync()
    {
        var isSqlite = _opened.Dialect == SqlDialect.Sqlite;
        var before = (Now - IncidentTables.EventStateRetention).ToUnixTimeMilliseconds();
        return await _opened.Store.WriteAsync(tx =>
        {
            tx.Connection.Execute("analyze event_state");
            var sql = (isSqlite ? "explain query plan " : "explain ") + IncidentTables.PruneStates(_opened.Dialect);
            var rows = tx.Connection.Query(sql, new { before, firstId = before.ToString("x12", CultureInfo.InvariantCulture) })
                .Cast<IDictionary<string, object>>();
            return ValueTask.FromResult(string.Join('\n', rows.Select(row => row[isSqlite ? "detail" : "QUERY PLAN"])));
        }, default);
    }
}
