using Belfry.Outbox;
using Belfry.Testing;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteFileTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Many_writers_share_few_commits()
    {
        await using var file = await OpenAsync();
        using var held = await WriterHold.TakeAsync(file);
        var before = file.Counters;
        var writes = Enumerable.Range(0, 500).Select(n => InsertAsync(file, n)).ToList();
        held.Release();
        await Task.WhenAll(writes);
        var after = file.Counters;
        (after.Commits - before.Commits).ShouldBe(2, "one for the item that held the writer, one for all that waited");
        (after.Items - before.Items).ShouldBe(501);
        (after.Rows - before.Rows).ShouldBe(500);
    }

    [Fact]
    public async Task A_lot_is_bounded()
    {
        await using var file = await OpenAsync(new SqliteFileOptions { LotItemsMax = 10 });
        using var held = await WriterHold.TakeAsync(file);
        var before = file.Counters.Commits;
        var writes = Enumerable.Range(0, 100).Select(n => InsertAsync(file, n)).ToList();
        held.Release();
        await Task.WhenAll(writes);
        (file.Counters.Commits - before).ShouldBe(11);
    }

    [Fact]
    public async Task A_failing_item_hurts_no_other_of_its_lot_and_gets_its_own_exception()
    {
        await using var file = await OpenAsync();
        using var held = await WriterHold.TakeAsync(file);
        var first = InsertAsync(file, 1);
        var failing = file.WriteAsync<int>(c =>
        {
            Execute(c, "insert into t values (2)");
            throw new FormatException("mine");
        }, default).AsTask();
        var breaking = InsertAsync(file, 1);
        var last = InsertAsync(file, 3);
        held.Release();
        await Task.WhenAll(first, last);
        (await Should.ThrowAsync<FormatException>(failing)).Message.ShouldBe("mine");
        await Should.ThrowAsync<SqliteException>(breaking);
        (await NumbersAsync(file)).ShouldBe([1, 3]);
    }

    [Fact]
    public async Task A_lot_that_begins_anew_takes_back_what_ran_and_runs_each_once_more()
    {
        await using var file = await OpenAsync();
        using var held = await WriterHold.TakeAsync(file);
        var story = new List<string>();
        Task Write(string name, Action<SqliteConnection> work) => file.WriteAsync(
            c =>
            {
                story.Add($"{name} runs");
                work(c);
                return 0;
            },
            _ => story.Add($"{name} is committed"), () => story.Add($"{name} is undone"), default).AsTask();
        var first = Write("first", c => Execute(c, "insert into t values (1)"));
        var failing = Write("failing", c => throw new FormatException("mine"));
        var last = Write("last", c => Execute(c, "insert into t values (3)"));
        held.Release();
        await Task.WhenAll(first, last);
        await Should.ThrowAsync<FormatException>(failing);
        story.ShouldBe(
            [
                "first runs", "failing runs", "failing is undone", "first is undone",
                "first runs", "failing runs", "failing is undone", "last runs", "first is committed", "last is committed",
            ]);
        (await NumbersAsync(file)).ShouldBe([1, 3]);
    }

    [Fact]
    public async Task A_commit_that_fails_fails_all_of_its_lot_and_the_writer_goes_on()
    {
        await using var file = await OpenAsync();
        await file.WriteAsync(c => Execute(c, "create table child (n integer references t (n) deferrable initially deferred)"), default);
        using var held = await WriterHold.TakeAsync(file);
        var undone = new List<int>();
        var good = file.WriteAsync(c => Execute(c, "insert into t values (1)"), _ => undone.Add(-1), () => undone.Add(1), default).AsTask();
        var orphan = file.WriteAsync(c => Execute(c, "insert into child values (99)"), _ => undone.Add(-2), () => undone.Add(2), default)
            .AsTask();
        held.Release();
        await Should.ThrowAsync<StoreUnavailableException>(good);
        await Should.ThrowAsync<StoreUnavailableException>(orphan);
        undone.ShouldBe([2, 1], "memory is undone newest first");
        file.Counters.FailedCommits.ShouldBe(1);
        await InsertAsync(file, 5);
        (await NumbersAsync(file)).ShouldBe([5]);
    }

    [Fact]
    public async Task A_work_that_ends_its_transaction_fails_its_lot_and_the_writer_goes_on()
    {
        await using var file = await OpenAsync();
        using var held = await WriterHold.TakeAsync(file);
        var story = new List<string>();
        var good = file.WriteAsync(
            c => Execute(c, "insert into t values (1)"), _ => story.Add("committed"), () => story.Add("undone"), default).AsTask();
        var ending = file.WriteAsync(c => Execute(c, "rollback"), default).AsTask();
        held.Release();
        (await Should.ThrowAsync<StoreUnavailableException>(ending)).Message.ShouldContain("ended the transaction");
        await Should.ThrowAsync<StoreUnavailableException>(good);
        story.ShouldBe(["undone"]);
        await InsertAsync(file, 5);
        (await NumbersAsync(file)).ShouldBe([5]);
    }

    [Fact]
    public async Task A_full_file_fails_the_write_as_unavailable_and_takes_writes_again_once_there_is_room()
    {
        await using var file = await OpenAsync();
        await file.WriteAsync(c => Execute(c, "create table big (b blob)"), default);
        await file.WriteAsync(c => Execute(c, "pragma max_page_count = 20"), default);
        await Should.ThrowAsync<StoreUnavailableException>(
            async () => await file.WriteAsync(c => Execute(c, "insert into big values (zeroblob(1000000))"), default));
        await file.WriteAsync(c => Execute(c, "pragma max_page_count = 1000000"), default);
        await file.WriteAsync(c => Execute(c, "insert into big values (zeroblob(1000000))"), default);
        (await file.CheckIntegrityAsync(default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_completed_is_there_after_closing_and_opening()
    {
        await using (var file = await OpenAsync()) await Task.WhenAll(Enumerable.Range(0, 200).Select(n => InsertAsync(file, n)));
        await using var again = SqliteFile.Open(_folder.File);
        (await NumbersAsync(again)).ShouldBe(Enumerable.Range(0, 200).Select(n => (long)n));
        (await again.CheckIntegrityAsync(default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Closing_writes_what_waits()
    {
        var file = await OpenAsync();
        var held = await WriterHold.TakeAsync(file);
        var write = InsertAsync(file, 1);
        var closing = file.DisposeAsync().AsTask();
        held.Release();
        await closing.WaitAsync(Patience);
        await write;
        await using var again = SqliteFile.Open(_folder.File);
        (await NumbersAsync(again)).ShouldBe([1]);
    }

    [Fact]
    public async Task A_write_whose_caller_still_wakes_the_writer_while_the_file_is_closed_is_told_as_written()
    {
        var held = 0;
        SqliteFile? closing = null;
        var file = await OpenAsync(new SqliteFileOptions
        {
            // On the caller's own thread; the writer is asleep, and ends before the caller goes on.
            Waking = () =>
            {
                if (closing is not null && Interlocked.Exchange(ref held, 1) == 0)
                    Meanwhile(() => closing.DisposeAsync().AsTask(), () => true);
            },
        });
        closing = file;
        var written = 0;
        while (Volatile.Read(ref held) == 0) await InsertAsync(file, written++);
        await using var again = SqliteFile.Open(_folder.File);
        (await NumbersAsync(again)).Count.ShouldBe(written);
    }

    [Fact]
    public async Task A_closed_file_refuses_writes_and_reads()
    {
        var file = await OpenAsync();
        await file.DisposeAsync();
        await Should.ThrowAsync<ObjectDisposedException>(() => InsertAsync(file, 1));
        await Should.ThrowAsync<ObjectDisposedException>(() => NumbersAsync(file));
    }

    [Fact]
    public async Task A_second_opener_is_refused_and_the_file_is_free_after_closing()
    {
        var file = await OpenAsync();
        Should.Throw<SqliteFileInUseException>(() => SqliteFile.Open(_folder.File)).Message.ShouldContain(_folder.File);
        await file.DisposeAsync();
        await using var next = SqliteFile.Open(_folder.File);
        next.Path.ShouldBe(_folder.File);
    }

    [Fact]
    public async Task A_file_whose_writer_has_failed_can_be_closed_and_opened_again()
    {
        var file = await OpenAsync();
        await file.ReadAsync(Numbers, default);
        var failing = file.WriteAsync(
            c => Execute(c, "insert into t values (1)"), _ => throw new FormatException("a hook"), null, default).AsTask();
        (await Should.ThrowAsync<StoreUnavailableException>(failing.WaitAsync(Patience))).InnerException.ShouldBeOfType<FormatException>();
        await file.DisposeAsync().AsTask().WaitAsync(Patience);
        using (var alone = new SqliteConnection($"Data Source={_folder.File};Pooling=False;Default Timeout=1"))
        {
            alone.Open();
            Execute(alone, "pragma journal_mode = delete").ShouldBe(0, "no other connection is left, or it is refused");
        }

        await using var again = SqliteFile.Open(_folder.File);
        (await NumbersAsync(again)).ShouldBe([1]);
    }

    [Fact]
    public async Task A_write_cancelled_while_it_waits_is_never_run()
    {
        await using var file = await OpenAsync();
        using var held = await WriterHold.TakeAsync(file);
        using var cancel = new CancellationTokenSource();
        var cancelled = file.WriteAsync(c => Execute(c, "insert into t values (1)"), cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(cancelled.WaitAsync(Patience));
        held.Release();
        await InsertAsync(file, 2);
        (await NumbersAsync(file)).ShouldBe([2]);
    }

    [Fact]
    public async Task A_queue_that_stays_full_refuses_and_names_the_bound()
    {
        await using var file = await OpenAsync(new SqliteFileOptions { QueueItemsMax = 2, QueueWaitMax = TimeSpan.FromMilliseconds(50) });
        using var held = await WriterHold.TakeAsync(file);
        var inside = new[] { InsertAsync(file, 1), InsertAsync(file, 2) };
        var refused = await Should.ThrowAsync<StoreUnavailableException>(InsertAsync(file, 3));
        refused.Message.ShouldContain("at most 2");
        refused.Message.ShouldContain(nameof(SqliteFileOptions.QueueItemsMax));
        held.Release();
        await Task.WhenAll(inside);
        (await NumbersAsync(file)).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task A_writer_that_waits_for_room_gets_it()
    {
        await using var file = await OpenAsync(new SqliteFileOptions { QueueItemsMax = 2, QueueWaitMax = Patience });
        using var held = await WriterHold.TakeAsync(file);
        var writes = Enumerable.Range(0, 50).Select(n => InsertAsync(file, n)).ToList();
        held.Release();
        await Task.WhenAll(writes);
        (await NumbersAsync(file)).Count.ShouldBe(50);
    }

    [Fact]
    public async Task A_read_cannot_write()
    {
        await using var file = await OpenAsync();
        await Should.ThrowAsync<Exception>(async () => await file.ReadAsync(c => Execute(c, "insert into t values (1)"), default));
        (await NumbersAsync(file)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_read_is_one_snapshot()
    {
        await using var file = await OpenAsync();
        await InsertAsync(file, 1);
        var (before, after) = await file.ReadAsync(c => (Numbers(c), Meanwhile(() => InsertAsync(file, 2), () => Numbers(c))), default);
        (before.Count, after.Count).ShouldBe((1, 1));
        (await NumbersAsync(file)).ShouldBe([1, 2]);
    }

    [Fact]
    public async Task A_write_ahead_log_that_a_reader_holds_is_warned_of_once_until_it_could_be_emptied()
    {
        var said = new Said();
        await using var file = await OpenAsync(new SqliteFileOptions { WalBytesMax = 1 << 20, Logger = said });
        var wal = new FileInfo(_folder.File + "-wal");
        await file.WriteAsync(c => Execute(c, "create table big (b blob)"), default);
        using (Snapshot())
        {
            await CommitUntilAsync(file, 1);
            Warnings().ShouldHaveSingleItem().ShouldContain("a reader has not ended");
            await CommitUntilAsync(file, 2);
            Warnings().Count.ShouldBe(1);
            (await PatienceAsync(file)).ShouldBe(5_000);
        }

        wal.Refresh();
        wal.Length.ShouldBeGreaterThan(1 << 20);
        await CommitUntilAsync(file, 3);
        wal.Refresh();
        wal.Length.ShouldBeLessThan(1 << 20);
        using (Snapshot()) await CommitUntilAsync(file, 4);
        Warnings().Count.ShouldBe(2);
        (await PatienceAsync(file)).ShouldBe(5_000);

        List<string> Warnings() => [.. said.Lines.Where(line => line.StartsWith("Warning", StringComparison.Ordinal))];
    }

    [Fact]
    public void Options_out_of_range_are_all_named()
    {
        var error = Should.Throw<ArgumentException>(
            () => SqliteFile.Open(_folder.File, new SqliteFileOptions { Readers = 0, LotItemsMax = -1, CheckpointPages = 0 }));
        error.Message.ShouldContain("CheckpointPages is 0");
        error.Message.ShouldContain("Readers");
        error.Message.ShouldContain("LotItemsMax");
    }

    [Fact]
    public async Task Newer_tables_are_refused()
    {
        await using var file = await OpenAsync();
        await file.WriteAsync(c =>
        {
            SqliteSchema.Apply(c, "m", "create table m (a)", "alter table m add b");
            SqliteSchema.Apply(c, "m", "create table m (a)", "alter table m add b");
            return Execute(c, "insert into m (a, b) values (1, 2)");
        }, default);
        var error = await Should.ThrowAsync<InvalidOperationException>(async () => await file.WriteAsync(c =>
        {
            SqliteSchema.Apply(c, "m", "create table m (a)");
            return 0;
        }, default));
        error.Message.ShouldContain("newer");
    }

    private async Task<SqliteFile> OpenAsync(SqliteFileOptions? options = null)
    {
        var file = SqliteFile.Open(_folder.File, options);
        await file.WriteAsync(c => Execute(c, "create table if not exists t (n integer primary key)"), default);
        return file;
    }

    private static async Task InsertAsync(SqliteFile file, int n) =>
        await file.WriteAsync(c => Execute(c, $"insert into t values ({n})"), default);

    private static async Task<List<long>> NumbersAsync(SqliteFile file) => await file.ReadAsync(Numbers, default);

    /// <summary>A reader that sees the file as it is now, until it is disposed of.</summary>
    private SqliteConnection Snapshot()
    {
        var reader = new SqliteConnection($"Data Source={_folder.File};Pooling=False");
        reader.Open();
        Execute(reader, "begin");
        Numbers(reader);
        return reader;
    }

    /// <summary>Commits of 16 KiB until the writer has looked that often at its log, which it does after each 128th.</summary>
    private static async Task CommitUntilAsync(SqliteFile file, int looks)
    {
        while (file.Counters.Commits <= looks * 128)
            await file.WriteAsync(c => Execute(c, "insert into big values (zeroblob(16384))"), default);
    }

    private static async Task<long> PatienceAsync(SqliteFile file) => await file.WriteAsync(
        c =>
        {
            using var command = c.CreateCommand();
            command.CommandText = "pragma busy_timeout";
            return (long)command.ExecuteScalar()!;
        },
        default);

    private static List<long> Numbers(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "select n from t order by n";
        using var reader = command.ExecuteReader();
        var numbers = new List<long>();
        while (reader.Read()) numbers.Add(reader.GetInt64(0));
        return numbers;
    }

    private static int Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    private static T Meanwhile<T>(Func<Task> work, Func<T> then)
    {
        Task.Run(work).Wait(Patience).ShouldBeTrue();
        return then();
    }
}
