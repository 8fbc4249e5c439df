namespace Belfry.Postgres.Tests;

public sealed class PostgresSchemaTests
{
    [Fact]
    public async Task Of_several_that_start_at_once_one_applies_and_all_find_it_done()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PostgresSchema.MigrateAsync(options, default).AsTask()));
        applied.Order().ShouldBe([0, 0, 0, PostgresSchema.Scripts.Count]);
    }

    [Fact]
    public async Task A_script_is_applied_once_and_in_order()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var first = new PostgresScript(1, "0001-a", "create table a (id integer)");
        var second = new PostgresScript(2, "0002-b", "insert into a values (1); create table b (id integer)");
        (await PostgresSchema.RunAsync(options, [first], default)).ShouldBe(1);
        (await PostgresSchema.RunAsync(options, [first, second], default)).ShouldBe(1);
        (await PostgresSchema.RunAsync(options, [first, second], default)).ShouldBe(0);
    }

    [Fact]
    public async Task A_script_that_fails_leaves_nothing_and_comes_out_as_it_is()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var broken = new PostgresScript(1, "0001-a", "create table a (id integer); select 1 / 0");
        await Should.ThrowAsync<Npgsql.PostgresException>(async () => await PostgresSchema.RunAsync(options, [broken], default));
        var mended = new PostgresScript(1, "0001-a", "create table a (id integer)");
        (await PostgresSchema.RunAsync(options, [mended], default)).ShouldBe(1);
    }

    [Fact]
    public async Task A_script_may_take_longer_than_statements_and_locks_of_the_server_may_and_the_server_looks_for_its_starter()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        options = options with { ConnectionString = $"{options.ConnectionString};Options=-c statement_timeout=1000 -c lock_timeout=500" };
        var slow = new PostgresScript(1, "0001-a", """
            create table a as select current_setting('client_connection_check_interval') as checks;
            select pg_sleep(1.2);
            do $$ begin if (select checks from a) <> '5s' then raise 'not looked for'; end if; end $$
            """);
        var applied = await Task.WhenAll(
            Enumerable.Range(0, 2).Select(_ => PostgresSchema.RunAsync(options, [slow], default).AsTask()));
        applied.Order().ShouldBe([0, 1]);
    }

    [Fact]
    public async Task A_schema_of_a_newer_program_is_refused()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var newer = new PostgresScript(PostgresSchema.Scripts.Count + 1, "0099-newer", "create table newer (id integer)");
        await PostgresSchema.RunAsync(options, [.. PostgresSchema.Scripts, newer], default);
        var fault = await Should.ThrowAsync<PostgresSchemaException>(async () => await PostgresSchema.MigrateAsync(options, default));
        fault.Message.ShouldContain("0099-newer");
        fault.Message.ShouldContain(options.Schema);
    }

    [Fact]
    public async Task A_program_runs_on_newer_tables_that_say_so_as_while_instances_are_updated_one_after_the_other()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var scripts = PostgresSchema.Scripts;
        var newer = new PostgresScript(
            scripts.Count + 1, "0098-newer", $"-- runs with {scripts.Count}\ncreate table newer (id integer)");
        (await PostgresSchema.RunAsync(options, [.. scripts, newer], default)).ShouldBe(scripts.Count + 1);
        (await PostgresSchema.MigrateAsync(options, default)).ShouldBe(0);
        var older = await Should.ThrowAsync<PostgresSchemaException>(
            async () => await PostgresSchema.RunAsync(options, [.. scripts.SkipLast(1)], default));
        older.Message.ShouldContain(scripts[^1].Name, Case.Sensitive, "that one does not say so");

        var newest = new PostgresScript(scripts.Count + 2, "0099-newest", $"-- runs with {newer.Number}\ncreate table newest (id integer)");
        await PostgresSchema.RunAsync(options, [.. scripts, newer, newest], default);
        (await Should.ThrowAsync<PostgresSchemaException>(async () => await PostgresSchema.MigrateAsync(options, default)))
            .Message.ShouldContain("0099-newest");
    }

    [Fact]
    public async Task Tables_from_before_scripts_said_who_runs_on_them_are_taken_as_they_are()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        await PostgresSchema.MigrateAsync(options, default);
        await using (var database = PostgresDatabase.Open(options))
            await database.WriteAsync(
                connection => connection.Statement("alter table schema_migration drop column runs_with").RunAsync(default), default);
        (await PostgresSchema.MigrateAsync(options, default)).ShouldBe(0);
        (await PostgresSchema.MigrateAsync(options, default)).ShouldBe(0);
    }

    [Fact]
    public async Task An_applied_script_that_changed_is_refused_and_line_endings_are_no_change()
    {
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var first = new PostgresScript(1, "0001-a", "create table a (\n id integer)");
        await PostgresSchema.RunAsync(options, [first], default);
        await PostgresSchema.RunAsync(options, [new PostgresScript(1, "0001-a", first.Sql.ReplaceLineEndings("\r\n"))], default);
        var changed = new PostgresScript(1, "0001-a", "create table a (\n id bigint)");
        var fault = await Should.ThrowAsync<PostgresSchemaException>(
            async () => await PostgresSchema.RunAsync(options, [changed], default));
        fault.Message.ShouldContain(changed.Checksum);
    }

    [Fact]
    public async Task The_default_schema_stays_empty()
    {
        await using var schema = await TestSchema.CreateAsync();
        (await schema.ScalarAsync<long>("select count(*) from pg_class where relnamespace = 'public'::regnamespace")).ShouldBe(0);
        (await schema.ScalarAsync<long>("select count(*) from schema_migration")).ShouldBe(PostgresSchema.Scripts.Count);
    }

    [Fact]
    public void Scripts_are_numbered_without_gaps() =>
        PostgresSchema.Scripts.Select(script => script.Number).ShouldBe(Enumerable.Range(1, PostgresSchema.Scripts.Count));

    [Fact]
    public void Options_out_of_range_are_told_all_at_once()
    {
        var options = new PostgresOptions { ConnectionString = "", Schema = "Up; drop", ConnectionsMax = 0 };
        var fault = Should.Throw<ArgumentException>(() => PostgresDatabase.Open(options));
        foreach (var name in new[] { nameof(options.ConnectionString), nameof(options.Schema), nameof(options.ConnectionsMax) })
            fault.Message.ShouldContain(name);
    }

    [Fact]
    public void Text_is_kept_as_it_was_and_plain_text_stands_as_it_is()
    {
        foreach (var text in new[] { "", "plain é 😀", "\0", "\\", "\\0", "a\0b\\0c\\\\", "\0\\\0" })
        {
            var stored = PostgresText.Encode(text);
            stored.Contains('\0').ShouldBeFalse();
            PostgresText.Decode(stored).ShouldBe(text);
        }

        PostgresText.Encode("plain é 😀").ShouldBe("plain é 😀");
        PostgresText.Encode("half \uD83D").ShouldBe("half \uFFFD");
    }
}
