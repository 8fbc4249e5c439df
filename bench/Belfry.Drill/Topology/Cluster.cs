using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Belfry.Drill.Load;
using Belfry.Rig;

namespace Belfry.Drill.Topology;

/// <summary>A service of the drills.</summary>
/// <param name="Number">From 0.</param>
/// <param name="Id">Its id.</param>
/// <param name="RoutingKey">Of its inlet.</param>
/// <param name="UserId">Whom it pages first.</param>
/// <param name="Email">That person's.</param>
/// <param name="LevelDelaysMs">Of its policy.</param>
internal sealed record DrillService(
    int Number, string Id, string RoutingKey, string UserId, string Email, IReadOnlyList<long> LevelDelaysMs);

/// <summary>
/// Everything a drill needs, on loopback: three brokers, PostgreSQL, Redis, three instances of the real program in the clustered shape,
/// and the provider. Made once for a group of drills.
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    public const string Prefix = "drill.";
    private const int Instances = 3;
    private const int Partitions = 3;
    private const int Tokens = 8;

    private const int PortsPerCluster = 200;

    private static readonly TimeSpan MembersMax = TimeSpan.FromMinutes(1);
    private readonly Children _children = new();
    private readonly List<string> _tokens = [];
    private int _nextToken;

    private Cluster(DrillClock clock) => Clock = clock;

    public DrillClock Clock { get; }
    public KafkaCluster Kafka { get; private set; } = null!;
    public PostgresProcess Postgres { get; private set; } = null!;
    public RedisProcess Redis { get; private set; } = null!;
    public ReceiptSink Sink { get; private set; } = null!;
    public IReadOnlyList<Instance> Nodes { get; private set; } = [];

    /// <summary>Each pages a person of its own; the last one's webhook is gone, so that its pages end as dead letters.</summary>
    public IReadOnlyList<DrillService> Services { get; private set; } = [];

    /// <summary>With policies of two levels, a minute each.</summary>
    public IReadOnlyList<DrillService> Escalating { get; private set; } = [];

    /// <param name="logs">Where the instances' output goes.</param>
    /// <param name="clock">The drills' clock.</param>
    /// <param name="services">How many.</param>
    /// <param name="cancel">Ends all of it.</param>
    /// <exception cref="DrillSetupException">A part is missing on this machine.</exception>
    public static async Task<Cluster> StartAsync(string logs, DrillClock clock, int services, CancellationToken cancel)
    {
        var cluster = new Cluster(clock);
        try
        {
            await cluster.StartAsync(logs, services, FreePorts(), cancel);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Speaks as the administrator, with one of several tokens by turns: each has a limit on requests of its own.</summary>
    public AuthenticationHeaderValue NextToken() =>
        new("Bearer", _tokens[(int)((uint)Interlocked.Increment(ref _nextToken) % (uint)_tokens.Count)]);

    public async ValueTask DisposeAsync()
    {
        _children.Dispose();
        if (Sink is not null) await Sink.DisposeAsync();
    }

    private async Task StartAsync(string logs, int services, int port, CancellationToken cancel)
    {
        Directory.CreateDirectory(logs);
        var kafka = KafkaCluster.StartAsync(Path.Combine(_children.Folder, "kafka"), port);
        var postgres = PostgresProcess.StartAsync(Path.Combine(_children.Folder, "postgres"), port + 10);
        Redis = new RedisProcess(_children, port + 20);
        await Redis.UpAsync();
        Sink = await ReceiptSink.StartAsync(Path.Combine(_children.Folder, "receipts.jsonl"), port + 40, Clock);
        (Kafka, Postgres) = (await kafka, await postgres);
        var config = Path.Combine(_children.Folder, "belfry.json");
        await File.WriteAllTextAsync(config, Settings(), cancel);
        Nodes = [.. Enumerable.Range(1, Instances).Select(number => Node(number, port + 30 + number, config, logs, cancel))];
        var token = await Nodes[0].UpAsync("--demo");
        foreach (var node in Nodes.Skip(1)) await node.UpAsync();
        using var api = new HttpClient(new Patient()) { BaseAddress = Nodes[0].Url };
        api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        await TokensAsync(api, cancel);
        await ServicesAsync(api, services, cancel);
        await MembersAsync(cancel);
    }

    /// <summary>Returns once every instance has its share of the groups: what comes before that is no calm.</summary>
    private async Task MembersAsync(CancellationToken cancel)
    {
        var began = Clock.NowNs;
        foreach (var node in Nodes)
            while (!await GroupMembers.HasAllAsync(this, node.Name))
            {
                if (Clock.NowNs - began > MembersMax.TotalNanoseconds)
                    throw new TimeoutException($"Instance {node.Name} has no share of the groups after {MembersMax}.");
                await Task.Delay(100, cancel);
            }
    }

    private Instance Node(int number, int port, string config, string logs, CancellationToken cancel) => new(
        _children, number, port, new ServerStart(
            Path.Combine(_children.Folder, $"n{number}"), Output: Path.Combine(logs, $"n{number}.log"),
            More: ["--config", config, "--keys", Path.Combine(_children.Folder, "keys"), "--webhook-allow", Sink.Endpoint],
            Settings: new Dictionary<string, string>
            {
                ["Belfry__Kafka__ClientId"] = $"n{number}",
                // Instances live for minutes, too short to win back what profiling their code costs. No gain was measured.
                ["DOTNET_TieredPGO"] = "0",
            }), cancel);

    private string Settings() => new JsonObject
    {
        ["Belfry"] = new JsonObject
        {
            ["Shape"] = "clustered",
            [nameof(Kafka)] = new JsonObject
            {
                ["BootstrapServers"] = Kafka.Bootstrap, ["SessionTimeout"] = "00:00:02", ["HeartbeatInterval"] = "00:00:00.300",
            },
            [nameof(Postgres)] = new JsonObject { ["ConnectionString"] = Postgres.ConnectionString },
            [nameof(Redis)] = new JsonObject { ["Configuration"] = Redis.Configuration },
            ["Topics"] = new JsonObject { ["Prefix"] = Prefix, ["Partitions"] = Partitions },
        },
    }.ToJsonString();

    private async Task TokensAsync(HttpClient api, CancellationToken cancel)
    {
        for (var number = 0; number < Tokens; number++)
        {
            var answer = await api.PostAsJsonAsync(
                "/api/tokens", new JsonObject { ["name"] = $"drill {number}", ["scope"] = "write" }, cancel);
            answer.EnsureSuccessStatusCode();
            _tokens.Add(JsonNode.Parse(await answer.Content.ReadAsStringAsync(cancel))!["secret"]!.GetValue<string>());
        }
    }

    private async Task ServicesAsync(HttpClient client, int count, CancellationToken cancel)
    {
        var api = new PagingApi(client, cancel);
        var services = new List<DrillService>();
        for (var number = 0; number < count; number++)
        {
            var path = number == count - 1 ? ReceiptSink.Refusing : ReceiptSink.Accepting;
            var user = await api.PersonAsync($"Person {number}", Sink.UrlOf(path));
            var (id, key) = await api.ServiceAsync($"Service {number}", await api.PolicyAsync($"Policy {number}", (user, 30)));
            services.Add(new DrillService(number, id, key, user, PagingApi.EmailOf($"Person {number}"), [30 * 60_000]));
        }

        var escalating = new List<DrillService>();
        for (var number = 0; number < 2; number++)
        {
            var first = await api.PersonAsync($"First {number}", Sink.UrlOf(ReceiptSink.Accepting));
            var second = await api.PersonAsync($"Second {number}", Sink.UrlOf(ReceiptSink.Accepting));
            var policy = await api.PolicyAsync($"Escalating {number}", (first, 1), (second, 30));
            var (id, key) = await api.ServiceAsync($"Escalating service {number}", policy);
            escalating.Add(new DrillService(
                count + number, id, key, first, PagingApi.EmailOf($"First {number}"), [60_000, 30 * 60_000]));
        }

        (Services, Escalating) = (services, escalating);
    }

    /// <summary>The first of a lot of ports none of which is in use; BELFRY_DRILL_PORT begins elsewhere than at 23000.</summary>
    private static int FreePorts()
    {
        var from = int.TryParse(Environment.GetEnvironmentVariable("BELFRY_DRILL_PORT"), out var given) ? given : 23_000;
        int[] used = [0, 1, 2, 10, 20, 31, 32, 33, 40, 100, 101, 102];
        for (var first = from; first < from + 5 * PortsPerCluster; first += PortsPerCluster)
            if (used.All(port => IsFree(first + port))) return first;
        throw new DrillSetupException($"no {PortsPerCluster} free ports from {from} on; set BELFRY_DRILL_PORT");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Asks again, for half a minute, what it was told to ask again; setting up is no part of a drill.</summary>
    private sealed class Patient() : DelegatingHandler(new SocketsHttpHandler())
    {
        private const int TriesMax = 60;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancel)
        {
            for (var tries = 1; ; tries++)
            {
                var answer = await base.SendAsync(request, cancel);
                if (answer.StatusCode != HttpStatusCode.ServiceUnavailable || tries == TriesMax) return answer;
                answer.Dispose();
                await Task.Delay(500, cancel);
            }
        }
    }
}
