namespace Belfry.Postgres.Tests;

/// <summary>Schemas of one test that stand for as many databases: what matters is that none sees another's rows.</summary>
internal sealed class TestShards : IAsyncDisposable
{
    private readonly List<PostgresShards> _opened = [];

    private TestShards(PostgresServer server, IReadOnlyList<PostgresOptions> options) => (Server, Options) = (server, options);

    public PostgresServer Server { get; }

    public IReadOnlyList<PostgresOptions> Options { get; }

    public static async Task<TestShards> CreateAsync(int count)
    {
        var server = await PostgresServer.GetAsync();
        return new TestShards(server, [.. Enumerable.Range(0, count).Select(_ => TestSchema.Empty(server))]);
    }

    /// <summary>Opens all of them as a program does, or those given, in their order.</summary>
    public async Task<PostgresShards> OpenAsync(params int[] numbers)
    {
        var shards = await PostgresShards.OpenAsync(
            numbers.Length == 0 ? Options : [.. numbers.Select(number => Options[number])], default);
        _opened.Add(shards);
        return shards;
    }

    /// <summary>One of them by itself.</summary>
    public PostgresDatabase OpenOne(int number) => PostgresDatabase.Open(Options[number]);

    public async ValueTask DisposeAsync()
    {
        foreach (var shards in _opened) await shards.DisposeAsync();
        if (Server.IsOwn) return;
        foreach (var options in Options)
        {
            await using var database = PostgresDatabase.Open(options);
            await database.WriteAsync(
                connection => connection.Statement($"drop schema if exists \"{options.Schema}\" cascade").RunAsync(default), default);
        }
    }
}
