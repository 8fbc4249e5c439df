using System.Data.Common;
using System.Text.Json;
using Belfry.Alerting.Access;
using Belfry.Alerting.Events;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.Storage;
using Belfry.Alerting.Tests.Incidents;
using Belfry.Alerting.Timeline;
using Belfry.Log;
using Belfry.Outbox;
using Dapper;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Storage;

/// <summary>A store as the first release of each module's tables left it, brought to the newest.</summary>
public class MigrationTests
{
    private const int Rows = 700;

    private static readonly IReadOnlyList<SchemaStep> All = [.. Pipeline.SchemaSteps, .. AccessSchema.Steps];
    private static readonly IReadOnlyList<SchemaStep> First = [.. All.Where(step => step.Number == 1)];
    private readonly StoreOpener _open;

    public MigrationTests() : this(TestStore.OnSqlite)
    {
    }

    private protected MigrationTests(StoreOpener open) => _open = open;

    [Fact]
    public async Task Every_row_of_every_table_is_there_afterwards_as_it_was()
    {
        using var store = _open([]);
        var others = (await TablesAsync(store)).Keys.ToHashSet();
        await MigrateAsync(store, First);
        var tables = (await TablesAsync(store)).Where(table => !others.Contains(table.Key) && table.Key != "alerting_schema").ToList();
        tables.Select(table => table.Key).ShouldContain("timeline_entry");
        await store.Store.WriteAsync(tx =>
        {
            foreach (var (name, columns) in tables) Fill(tx.Connection, name, columns);
            return ValueTask.FromResult(true);
        }, default);
        var before = await ContentsAsync(store, tables);
        before.Min(rows => rows.Count).ShouldBe(Rows);
        await MigrateAsync(store, All);
        var after = await ContentsAsync(store, tables);
        foreach (var ((name, _), (was, now)) in tables.Zip(before.Zip(after)))
            (now.Count, now.Except(was).FirstOrDefault(), was.Except(now).FirstOrDefault()).ShouldBe((was.Count, null, null), name);
    }

    [Fact]
    public async Task Incidents_events_and_timelines_read_the_same_afterwards_and_go_on()
    {
        TestStore opened = null!;
        await using var desk = new FoldDesk(_ => opened = _open(First));
        var events = Enumerable.Range(0, 40).Select(n => desk.Trigger($"key-{n % 7}")).ToList();
        var fold = await desk.TakeOverAsync();
        await fold.FoldAsync([.. events.Select(desk.Record)], default);
        await fold.FoldAsync(
            [desk.Record(desk.Desk.Event(EventAction.Change)), desk.Raw(desk.Topics.IncomingEvents, "{")], default);
        await FoldTimelineAsync(desk);
        var before = await ReadAsync(desk, events);

        await MigrateAsync(opened, All);
        (await ReadAsync(desk, events)).ShouldBe(before);

        fold = await desk.TakeOverAsync();
        await fold.FoldAsync([desk.Record(events[3])], default);
        (await ReadAsync(desk, events)).ShouldBe(before, "what was taken before the migration is not taken again");
        await fold.FoldAsync([desk.Record(desk.Trigger("new"))], default);
        (await desk.AllAsync()).Count.ShouldBe(8);
        var published = await FoldTimelineAsync(desk);
        var (entries, total) = await new TimelineReader(desk.Store).ListAsync(null, 0, TimelineReader.LimitMax, default);
        total.ShouldBe(published);
        foreach (var ofOne in entries.GroupBy(entry => entry.Entry.IncidentId))
            ofOne.Select(entry => entry.Sequence).Order().ShouldBe(Enumerable.Range(1, ofOne.Count()).Select(n => (long)n));
    }

    /// <summary>All that pages and API ask these modules for, as text.</summary>
    private static async Task<string> ReadAsync(FoldDesk desk, IReadOnlyList<AlertEvent> events)
    {
        var directory = desk.Directory;
        var reader = new TimelineReader(desk.Store);
        var incidents = await directory.ListAsync(new IncidentFilter { Statuses = [IncidentStatus.Triggered] }, 0, 250, default);
        incidents.Items.Count.ShouldBe(7);
        List<object?> all = [incidents.Items, incidents.Total, await directory.ChangeEventsAsync(IncidentDesk.ServiceId, 10, default)];
        foreach (var one in events) all.Add(await directory.EventStateAsync(one.Id, default));
        all.Add((await directory.EventStatesAsync([.. events.Select(one => one.Id)], default)).OrderBy(state => state.Id.Value));
        for (var n = 0; n < 7; n++)
        {
            var states = await directory.EventStatesAsync(Inlet, $"key-{n}", 5, default);
            states.Count.ShouldBe(5);
            all.Add(states);
        }

        foreach (var incident in incidents.Items)
        {
            var (entries, total) = await reader.ListAsync(incident.Incident.Id, 0, 100, default);
            total.ShouldBeGreaterThan(1);
            all.Add(entries);
            all.Add(await reader.FindAsync(entries[0].Entry.Id, default));
        }

        all.Add((await reader.ListAsync(null, 3, 20, default)).Entries);
        return JsonSerializer.Serialize(all);
    }

    /// <summary>Folds all that the incidents have published so far, from the start, as the log hands it out; returns how many.</summary>
    private static async Task<int> FoldTimelineAsync(FoldDesk desk)
    {
        var records = (await desk.OutboxAsync(desk.Topics.IncidentLog)).Select((record, at) => new LogRecord
        {
            Source = new TopicPartition(record.Topic, 0), Offset = at, AppendedAt = desk.Time.GetUtcNow(), Key = record.OrderingKey,
            Value = record.Value,
        }).ToList();
        var fold = new TimelineFold(0, desk.Store, () => { });
        await fold.LoadAsync(default);
        await fold.FoldAsync(records, default);
        return records.Count;
    }

    private static Task MigrateAsync(TestStore store, IReadOnlyList<SchemaStep> steps) =>
        AlertingSchema.MigrateAsync(store.Store, store.Dialect, steps, AlertingSchema.StepMax, default);

    private sealed record Column(string Name, string Type, bool MayBeNull);

    private static async Task<SortedDictionary<string, List<Column>>> TablesAsync(TestStore store)
    {
        var columns = await store.Store.ReadAsync(connection => ValueTask.FromResult(
            connection.Query<(string Table, string Name, string Type, long IsNull)>(store.Dialect == SqlDialect.Sqlite
                ? """
                  select t.name, c.name, c.type, 1 - c."notnull"
                      from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table'
                  """
                : """
                  select table_name, column_name, data_type, case is_nullable when 'YES' then 1 else 0 end::bigint
                      from information_schema.columns where table_schema = current_schema()
                  """).ToList()), default);
        return new(columns.GroupBy(column => column.Table).ToDictionary(
            table => table.Key, table => table.Select(c => new Column(c.Name, c.Type, c.IsNull == 1)).ToList()));
    }

    /// <summary>Each value is of its row and column alone, so that no two could be taken for one another.</summary>
    private static void Fill(DbConnection connection, string table, List<Column> columns)
    {
        var names = columns.Select(column => column.Name).ToArray();
        var rows = Enumerable.Range(1, Rows).Select(n => columns.Select((column, at) => (object?)(column.Type.ToLowerInvariant() switch
        {
            _ when column.MayBeNull && n % 3 == 0 => null,
            "text" => $"{column.Name}-{Rows - n:d4}-\u00e9",
            "bigint" => (long)(n * 100 + at),
            "blob" or "bytea" => new byte[] { (byte)n, (byte)(n >> 8), (byte)at, 0, 255 },
            var other => throw new InvalidOperationException($"{table}.{column.Name} is of type {other}: say what to fill it with."),
        })).ToArray()).ToList();
        RowWriter.Execute(
            connection,
            $"insert into {table} ({string.Join(", ", names)}) values ({string.Join(", ", names.Select(name => "@" + name))})", names,
            rows);
    }

    private static async Task<List<List<string>>> ContentsAsync(TestStore store, List<KeyValuePair<string, List<Column>>> tables) =>
        await store.Store.ReadAsync(connection => ValueTask.FromResult(tables.Select(table =>
        {
            using var reader = connection.ExecuteReader(
                $"select {string.Join(", ", table.Value.Select(column => column.Name))} from {table.Key}");
            var rows = new List<string>();
            while (reader.Read())
                rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(at => reader.GetValue(at) switch
                {
                    byte[] bytes => Convert.ToHexString(bytes),
                    DBNull => "NULL",
                    var value => value.ToString(),
                })));
            rows.Sort(StringComparer.Ordinal);
            return rows;
        }).ToList()), default);
}
