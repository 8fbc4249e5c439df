using System.Net;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;
using Belfry.Postgres.Tests;
using Npgsql;

namespace Belfry.Cli.Tests;

public class MigrateCommandTests
{
    [SkippableFact]
    public async Task Makes_all_tables_and_a_repeat_beside_another_changes_nothing()
    {
        using var folder = new TempFolder();
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var config = await BelfryCommand.ConfigureAsync(folder, "127.0.0.1:1", options.ConnectionString, options.Schema);

        var both = await Task.WhenAll(
            BelfryCommand.RunAsync("migrate", "--config", config), BelfryCommand.RunAsync("migrate", "-c", config));

        both.ShouldAllBe(run => run.Code == 0);
        both.Count(run => run.Output.Contains("; 0 migrations", StringComparison.Ordinal)).ShouldBe(1, "one applied all, the other none");
        await using var schema = await TestSchema.CreateAsync(_ => options);
        (await schema.ScalarAsync<long>("select count(distinct module) from alerting_schema")).ShouldBeGreaterThan(5);
        (await schema.ScalarAsync<long>("select count(*) from task")).ShouldBe(0);
        var (code, output) = await BelfryCommand.RunAsync("migrate", "--config", config);
        (code, output.Contains("; 0 migrations", StringComparison.Ordinal)).ShouldBe((0, true));
    }

    [SkippableFact]
    public async Task Further_databases_get_their_tables_and_the_index_of_the_topics_partitions_too()
    {
        using var folder = new TempFolder();
        var server = await PostgresServer.GetAsync();
        var options = TestSchema.Empty(server);
        var further = await server.NewDatabaseAsync();
        try
        {
            var config = await BelfryCommand.ConfigureAsync(
                folder, "127.0.0.1:1", options.ConnectionString, options.Schema, partitions: 5, shards: [further]);
            (await BelfryCommand.RunAsync("migrate", "--config", config)).Code.ShouldBe(0);
            foreach (var database in (string[])[options.ConnectionString, further])
                (await TestCluster.RunAsync(database, $"""
                    select (select count(*) from {options.Schema}.delivery) + (select count(*) from {options.Schema}.task) +
                        (select count(*) from pg_indexes where schemaname = '{options.Schema}' and indexname = 'task_window_5')
                    """)).ShouldBe(1, database);

            // Once one holds anything, their order is for life.
            await TestCluster.RunAsync(
                further, $"insert into {options.Schema}.task_owner (topic, partition_no, epoch, position) values ('t', 0, 1, 1)");
            config = await BelfryCommand.ConfigureAsync(
                folder, "127.0.0.1:1", further, options.Schema, partitions: 5, shards: [options.ConnectionString]);
            var (code, output) = await BelfryCommand.RunAsync("migrate", "--config", config);
            (code, output.Trim().Split('\n').Length).ShouldBe((1, 1), output);
            output.ShouldContain("Postgres:Shards in their order");
        }
        finally
        {
            await TestCluster.DropAsync(further);
        }
    }

    [SkippableFact]
    public async Task Instances_that_may_not_make_tables_start_and_page_on_those_that_it_made()
    {
        using var folder = new TempFolder();
        var (kafka, prefix) = (await KafkaBroker.BootstrapAsync(), $"t{Guid.NewGuid():N}.");
        var options = TestSchema.Empty(await PostgresServer.GetAsync());
        var config = await BelfryCommand.ConfigureAsync(folder, kafka, options.ConnectionString, options.Schema, prefix);
        (await BelfryCommand.RunAsync("migrate", "--config", config)).Code.ShouldBe(0);
        await using var schema = await TestSchema.CreateAsync(_ => options);
        var user = $"user_{options.Schema}";
        await schema.RunAsync($"""
            create role {user} login password 'secret';
            grant usage on schema {options.Schema} to {user};
            grant select, insert, update, delete on all tables in schema {options.Schema} to {user};
            """);
        try
        {
            var limited = new NpgsqlConnectionStringBuilder(options.ConnectionString) { Username = user, Password = "secret" }.ToString();
            config = await BelfryCommand.ConfigureAsync(folder, kafka, limited, options.Schema, prefix);
            await using var program = await BelfryProgram.StartAsync(
                folder.Sub("data"), ChildProgram.FreePort(), "--config", config, "--keys", folder.Sub("keys"), "--demo");
            (await program.SendEventAsync("trigger", "k", "limited")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
            var mails = program.Ready.GetProperty("mailDir").GetString()!;
            await Eventually.TrueAsync(
                "the page", () => Task.FromResult(Directory.EnumerateFiles(mails, "*.eml").Any()), () => program.Process.Output);
            program.Process.Output.ShouldNotContain("42501", Case.Insensitive, "insufficient privilege");
        }
        finally
        {
            await schema.RunAsync($"drop owned by {user}; drop role {user}");
        }
    }

    [SkippableFact]
    public async Task Tables_of_a_newer_program_are_refused()
    {
        using var folder = new TempFolder();
        await using var schema = await TestSchema.CreateAsync();
        await schema.RunAsync("insert into schema_migration (number, name, checksum, applied_ms) values (9999, 'later', 'x', 0)");
        var config = await BelfryCommand.ConfigureAsync(folder, "127.0.0.1:1", schema.Options.ConnectionString, schema.Options.Schema);
        var (code, output) = await BelfryCommand.RunAsync("migrate", "--config", config);
        code.ShouldBe(1);
        output.ShouldContain("newer program");
    }

    [Fact]
    public async Task A_database_that_does_not_answer_is_a_failure_in_one_sentence()
    {
        using var folder = new TempFolder();
        var config = await BelfryCommand.ConfigureAsync(
            folder, "127.0.0.1:1", $"Host=127.0.0.1;Port={ChildProgram.FreePort()};Username=x;Database=x");
        var (code, output) = await BelfryCommand.RunAsync("migrate", "--config", config);
        code.ShouldBe(1);
        output.Trim().Split('\n').ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_misuse_ends_with_2_and_names_what_is_wrong()
    {
        using var folder = new TempFolder();
        var embedded = Path.Combine(folder.Path, "embedded.json");
        await File.WriteAllTextAsync(embedded, """{"Belfry":{"Shape":"embedded"}}""");
        (string[] Arguments, string Told)[] misuses =
        [
            (["migrate"], "Belfry:Postgres:ConnectionString"),
            (["migrate", "--config", "/nowhere.json"], "/nowhere.json"),
            (["migrate", "--config", embedded], "embedded"),
            (["migrate", "--now"], "--now"),
            (["topics", "repartition", "scheduled-tasks"], "--partitions"),
            (["topics", "repartition", "incoming-events", "--partitions", "8"], "incoming-events"),
            (["watch", "--webhook", "ftp://x"], "ftp://x"),
        ];
        foreach (var (arguments, told) in misuses)
        {
            var (code, output) = await BelfryCommand.RunAsync(arguments);
            code.ShouldBe(2, output);
            output.ShouldContain(told);
        }
    }

    [Fact]
    public async Task Help_is_no_misuse()
    {
        var (code, output) = await BelfryCommand.RunAsync("topics", "repartition", "--help");
        code.ShouldBe(0);
        output.ShouldContain("--partitions");
        output.ShouldNotContain("halt");
    }
}
