using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Events;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using Belfry.Alerting.People;
using Belfry.Alerting.Storage;
using Belfry.Deliveries;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Simulation.Tests.World;

/// <summary>One process of Belfry's: the same hops as in production, on simulated ports, and the door that HTTP would be.</summary>
internal sealed class AlertingNode
{
    public static readonly TimeSpan PollWait = TimeSpan.FromSeconds(60);
    private static readonly byte[] LinkKey = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];
    private readonly AlertingWorld _world;
    private readonly IPartitionedLog _log;
    private readonly EventAcceptor _acceptor;
    private readonly EventDetour _detour;
    private readonly PipelinePorts _ports;

    public AlertingNode(AlertingWorld world, SimulatedNode node)
    {
        _world = world;
        Node = node;
        _log = world.Log.On(node);
        var store = new NodeOutboxStore(
            node, world.State, world.BeforeWrite, world.AfterWrite, _ => world.State.TakeTouches());
        var topics = SharedState.Topics;
        var catalog = new CatalogReader(store, _log, node.Time, NullLogger.Instance) { CheckEvery = PollWait, OutboxLookAgain = PollWait };
        var ids = new IdSource(() => SharedState.NextId(node.Random, node.Time.GetUtcNow()));
        var entrance = new LateLog(world, node, _log);
        _detour = new EventDetour(store, entrance, node.Time, NullLogger.Instance);
        _acceptor = new EventAcceptor(
            new EventInlet(entrance, _detour, node.Time), topics, () => catalog.Current, new RateLimiter(), new RefusedEvents(), ids,
            node.Time, NullLogger<EventAcceptor>.Instance);
        var consumer = new ConsumerOptions { PollWait = PollWait };
        _ports = new PipelinePorts
        {
            Log = _log,
            Store = store,
            Dialect = SqlDialect.Sqlite,
            Tasks = new NodeTaskStore(node, world.Tasks),
            Deliveries = new NodeDeliveryStore(node, world.Deliveries, world.Observer),
            Parked = world.Parked.On(node),
            Claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), node.Time),
            Channels = [.. world.Providers.Select(provider => provider.On(node))],
            Catalog = catalog,
            People = new PeopleStore(store, catalog, topics, ids, bytes => node.Random.NextBytes(bytes), SharedState.Box),
            Changes = new IncidentChanges(),
            Topics = topics,
            Time = node.Time,
            Random = node.Random,
            Loggers = NullLoggerFactory.Instance,
            Options = new PipelineOptions
            {
                BaseUrl = new Uri("http://belfry.example.org/"),
                LinkKey = LinkKey,
                Consumer = consumer,
                OutboxLookAgain = PollWait,
                Deliveries = new DeliveryOptions { Consumer = consumer },
            },
        };
    }

    public SimulatedNode Node { get; }

    /// <summary>Serves once the configuration is loaded.</summary>
    public bool Serves { get; private set; }

    public void Start()
    {
        Node.Start(async () =>
        {
            while (!Serves)
                try
                {
                    await _log.DeclareAsync(SharedState.Topics.All, CancellationToken.None);
                    await _ports.Catalog.RefreshAsync(CancellationToken.None);
                    await _detour.LookAsync(CancellationToken.None);
                    Serves = true;
                }
                catch (Exception fault) when (AlertingWorld.IsPlanned(fault))
                {
                    await Task.Delay(TimeSpan.FromSeconds(1), Node.Time, CancellationToken.None);
                }

            Hop[] hops = [.. Pipeline.Hops(_ports), new("accepted-events", _detour.RunAsync)];
            foreach (var hop in hops) Node.Start(() => RunAsync(hop));
        });
    }

    /// <summary>What HTTP does with a body; the answer, or nothing when the node dies first.</summary>
    public void Accept(byte[] body, Action<AcceptResult> answered) =>
        Node.Start(async () => answered(await _acceptor.AcceptAsync(EventKind.Alert, body, null, CancellationToken.None)));

    /// <summary>What the page behind an acknowledge link does when its button is pressed.</summary>
    public void PressAcknowledge(string token, Action acknowledged) => Node.Start(async () =>
    {
        if (new AcknowledgeLinks(LinkKey).Verify(token, Node.Time.GetUtcNow()) is not LinkCheck.Valid valid)
        {
            _world.Observer.Violated("A2", "a link of ours was refused");
            return;
        }

        try
        {
            await new IncidentCommandWriter(_log, SharedState.Topics)
                .SendAsync(AcknowledgeLinks.CommandOf(valid.Ticket, Node.Time.GetUtcNow()), CancellationToken.None);
            acknowledged();
        }
        catch (LogUnavailableException)
        {
            // No answer: the person presses again.
        }
    });

    private sealed class LateLog(AlertingWorld world, SimulatedNode node, IPartitionedLog log) : ForwardingLog(log)
    {
        public override async ValueTask AppendAsync(IReadOnlyList<OutgoingRecord> records, CancellationToken cancel)
        {
            await LateAsync();
            await Inner.AppendAsync(records, cancel);
            await LateAsync();
        }

        private async ValueTask LateAsync()
        {
            if (world.LateBy() is { Ticks: > 0 } late) await Task.Delay(late, node.Time, CancellationToken.None);
        }
    }

    // As the host does: a hop that fails is started again after a pause. That it failed is a fault of its own.
    private async Task RunAsync(Hop hop)
    {
        try
        {
            await hop.RunAsync(CancellationToken.None);
            _world.Observer.Violated("liveness", $"hop {hop.Name} of {Node.Name} ended");
        }
        catch (Exception fault)
        {
            _world.Observer.Violated("liveness", $"hop {hop.Name} of {Node.Name} failed: {fault}");
        }
    }
}
