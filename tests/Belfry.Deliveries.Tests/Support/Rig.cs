using System.Text;
using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Deliveries.Tests.Support;

/// <summary>The world around the owners of one partition: store, claims, provider, reports, dead letters. Owners come and go.</summary>
internal sealed class Rig
{
    public const string Group = "deliver-page";

    private int _freezesLeft;
    private string? _freezeAt;
    private readonly TaskCompletionSource _frozen = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _thaw = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Rig(UnknownOutcomePolicy policy = UnknownOutcomePolicy.AtLeastOnce)
    {
        Channel = new SimulatedChannel("page", policy, Time);
        Claims = new MemoryFastClaims(new MemoryFastClaimsOptions(), Time);
        Store.BeforeCall = name => PassAsync($"before {name}");
        Store.AfterCall = name => PassAsync($"after {name}");
        Breakers = new BreakerSet(Options.Breaker, Time);
    }

    public ManualTime Time { get; } = new();
    public SimulatedDeliveryStore Store { get; } = new();
    public SimulatedChannel Channel { get; }
    public MemoryFastClaims Claims { get; }
    public BreakerSet Breakers { get; set; }
    public DeliveryOptions Options { get; set; } = new() { IsTransient = fault => fault is TimeoutException };
    public List<DeliveryEvent> Reports { get; } = [];
    public List<(LogRecord Record, string Reason, int Attempts)> DeadLetters { get; } = [];

    /// <summary>Asked at every attempt.</summary>
    public Func<string?> Unwanted { get; set; } = () => null;
    public int Asked { get; private set; }
    public Func<DeliveryEvent, ValueTask> OnReport { get; set; } = _ => ValueTask.CompletedTask;

    /// <summary>Called with the token of each send.</summary>
    public Action<CancellationToken> Sending { get; set; } = _ => { };

    public Task Frozen => _frozen.Task;

    public DeliveryRow Row => Store.Rows.ShouldHaveSingleItem();

    public async Task<PartitionDeliveries> OwnerAsync()
    {
        var route = new DeliveryRoute
        {
            Group = Group,
            Topic = Sample.Source.Topic,
            Channel = new Passing(this),
            Decode = Decode,
            StillWanted = (_, _) =>
            {
                Asked++;
                return new(Unwanted());
            },
            Report = ReportAsync,
            DeadLetters = (record, reason, attempts, _) =>
            {
                DeadLetters.Add((record, reason, attempts));
                return ValueTask.CompletedTask;
            },
        };
        var ports = new DeliveryPorts(route, Store, Claims, Breakers, Options, Time, NullLogger.Instance);
        var owner = new PartitionDeliveries(ports, Sample.Source, new Random(1));
        await owner.TakeOverAsync(default);
        return owner;
    }

    /// <summary>The first owner to come by stops there, until <see cref="Thaw"/>.</summary>
    public void FreezeAt(string point) => (_freezeAt, _freezesLeft) = (point, 1);

    public void Thaw() => _thaw.SetResult();

    private static Delivery? Decode(LogRecord record)
    {
        var text = Encoding.UTF8.GetString(record.Value.Span);
        if (text == "malformed") throw new FormatException("not a delivery");
        return text == "other channel" ? null : Sample.Delivery(text);
    }

    private async ValueTask ReportAsync(DeliveryEvent report, CancellationToken cancel)
    {
        await PassAsync("before report");
        await OnReport(report);
        Reports.Add(report);
        await PassAsync("after report");
    }

    private async ValueTask PassAsync(string point)
    {
        if (point != _freezeAt || Interlocked.Decrement(ref _freezesLeft) < 0) return;
        _frozen.SetResult();
        await _thaw.Task;
    }

    /// <summary>The channel with a place to freeze once the provider has accepted.</summary>
    private sealed class Passing(Rig rig) : IDeliveryChannel
    {
        public string Name => rig.Channel.Name;

        public UnknownOutcomePolicy WhenUnknown => rig.Channel.WhenUnknown;

        public string EndpointOf(Delivery delivery) => rig.Channel.EndpointOf(delivery);

        public async ValueTask<SendOutcome> SendAsync(Delivery delivery, int attempt, CancellationToken cancel)
        {
            rig.Sending(cancel);
            await rig.PassAsync("before send");
            var outcome = await rig.Channel.SendAsync(delivery, attempt, cancel);
            await rig.PassAsync("after send");
            return outcome;
        }
    }
}
