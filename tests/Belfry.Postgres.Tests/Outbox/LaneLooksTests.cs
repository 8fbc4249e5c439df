using System.Net;
using System.Net.Sockets;
using Belfry.Outbox;

namespace Belfry.Postgres.Tests;

/// <summary>Looks at a lane over servers that hang or have no room.</summary>
public sealed class LaneLooksTests
{
    private const int MoreThanAreUnderWay = 6;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_server_that_hangs_holds_nobody_who_gives_up_and_is_hung_up_on_by_itself()
    {
        using var hanging = Hanging(out var options);
        await using var database = PostgresDatabase.Open(options);
        IOutboxStore store = new PostgresOutboxStore(database);
        using var patience = new CancellationTokenSource();
        var asked = Enumerable.Range(0, MoreThanAreUnderWay)
            .Select(_ => store.PendingKeysAsync("a", 10, patience.Token).AsTask()).ToArray();
        await patience.CancelAsync();
        foreach (var one in asked) await Should.ThrowAsync<OperationCanceledException>(() => one.WaitAsync(Patience));

        // All places were taken by those; it gets one once a question was hung up on, and is hung up on itself.
        await Should.ThrowAsync<StoreUnavailableException>(() => store.PendingKeysAsync("a", 10, default).AsTask().WaitAsync(Patience));
    }

    [Fact]
    public async Task A_database_is_closed_while_its_server_hangs()
    {
        using var hanging = Hanging(out var options);
        var database = PostgresDatabase.Open(options);
        IOutboxStore store = new PostgresOutboxStore(database);
        using var patience = new CancellationTokenSource();
        var asked = Enumerable.Range(0, MoreThanAreUnderWay)
            .Select(_ => store.PendingKeysAsync("a", 10, patience.Token).AsTask()).ToArray();
        await patience.CancelAsync();
        await database.DisposeAsync().AsTask().WaitAsync(Patience);
        foreach (var one in asked) await Should.ThrowAsync<OperationCanceledException>(() => one.WaitAsync(Patience));
        await Should.ThrowAsync<ObjectDisposedException>(async () => await store.PendingKeysAsync("a", 10, default));
    }

    [SkippableFact]
    public async Task A_server_without_room_for_one_more_session_is_busy_not_away()
    {
        await using var schema = await TestSchema.CreateAsync();
        var role = $"{schema.Options.Schema}_crowd";
        await schema.RunAsync($"create role {role} login connection limit 0");
        try
        {
            await using var crowded = PostgresDatabase.Open(schema.Options with
            {
                ConnectionString = $"{schema.Options.ConnectionString};Username={role}", LookMax = TimeSpan.FromMinutes(1),
            });
            IOutboxStore store = new PostgresOutboxStore(crowded);
            await Should.ThrowAsync<StoreBusyException>(async () => await store.PendingKeysAsync("a", 10, default));
        }
        finally
        {
            await schema.RunAsync($"drop role {role}");
        }
    }

    [Fact]
    public void A_lane_is_not_taken_back_while_a_lot_may_be_under_way()
    {
        var options = new PostgresOptions { ConnectionString = "Host=nowhere", LaneHoldIdleMax = TimeSpan.FromSeconds(5) };
        Should.Throw<ArgumentException>(options.Validate).Message.ShouldContain(nameof(PostgresOptions.LaneHoldIdleMax));
        (options with { LaneHoldIdleMax = OutboxRelay.LotTimeDefault + TimeSpan.FromSeconds(1) }).Validate();
    }

    /// <summary>Takes connections and never answers, as a frozen server does.</summary>
    private static TcpListener Hanging(out PostgresOptions options)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        options = new PostgresOptions
        {
            ConnectionString = $"Host=127.0.0.1;Port={((IPEndPoint)listener.LocalEndpoint).Port};Username=postgres;Database=postgres",
        };
        return listener;
    }
}
