using System.Text;
using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Alerting.Tests.Events;

/// <summary>Three processes under steady load in virtual time: what the detour costs while log or store are away, and afterwards.</summary>
public sealed class EventDetourLoadTests
{
    private static readonly TimeSpan LogReturnsAt = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(1, 50, 5_000)]
    [InlineData(2, 1, 200)]
    [InlineData(3, 1, 200)]
    public void The_detour_ends_within_four_seconds_of_the_logs_return_however_steady_the_load(long seed, int services, int perSecond)
    {
        using var load = new Load(seed, services, perSecond);
        load.World.After(TimeSpan.FromSeconds(1), "log away", () => load.Ports.LogMood = PortMood.Away);
        load.World.After(LogReturnsAt, "log back", () => load.Ports.LogMood = PortMood.Good);
        var detours = 0;
        load.World.After(LogReturnsAt + TimeSpan.FromSeconds(4), "measure", () => detours = load.Ports.Detours);
        load.Run(TimeSpan.FromSeconds(8));
        detours.ShouldBeGreaterThan(50, "transactions, of many events each");
        load.Ports.Detours.ShouldBe(detours);
        load.LongestFrom(LogReturnsAt + TimeSpan.FromSeconds(4)).ShouldBeLessThan(TimeSpan.FromMilliseconds(50));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_store_that_hangs_slows_no_event_but_those_of_the_first_second(long seed)
    {
        using var load = new Load(seed, services: 20, perSecond: 300);
        load.World.After(TimeSpan.FromMilliseconds(100), "store hangs", () => load.Ports.StoreHangs = true);
        load.Run(TimeSpan.FromSeconds(8), firstAt: TimeSpan.FromMilliseconds(110));
        load.LongestFrom(TimeSpan.Zero).ShouldBeLessThan(TimeSpan.FromMilliseconds(1_500));
        load.LongestFrom(TimeSpan.FromMilliseconds(1_110)).ShouldBeLessThan(TimeSpan.FromMilliseconds(50));
        load.Unanswered.ShouldBe(0);
    }

    [Fact]
    public void A_store_that_hangs_in_the_midst_costs_a_second_too_and_sparse_events_nothing_after_it()
    {
        using var load = new Load(1, services: 20, perSecond: 300);
        load.World.After(TimeSpan.FromSeconds(2), "store hangs", () => load.Ports.StoreHangs = true);
        for (var at = 10; at < 70; at += 20) load.SendAt(TimeSpan.FromSeconds(at), 0);
        load.Run(TimeSpan.FromSeconds(5), end: TimeSpan.FromSeconds(80));
        load.LongestFrom(TimeSpan.Zero).ShouldBeLessThan(TimeSpan.FromMilliseconds(1_500));
        load.LongestFrom(TimeSpan.FromMilliseconds(3_500)).ShouldBeLessThan(TimeSpan.FromMilliseconds(50));
        load.Unanswered.ShouldBe(0);
    }

    [Fact]
    public void A_store_that_takes_300_ms_to_answer_slows_nothing()
    {
        using var load = new Load(1, services: 20, perSecond: 300);
        load.World.After(TimeSpan.FromSeconds(1), "slow", () => load.Ports.LooksTake = TimeSpan.FromMilliseconds(300));
        load.Run(TimeSpan.FromSeconds(5));
        load.Ports.Detours.ShouldBe(0);
        load.LongestFrom(TimeSpan.FromSeconds(1)).ShouldBeLessThan(TimeSpan.FromMilliseconds(50));
    }

    private sealed class Load : IDisposable
    {
        private readonly int _services;
        private readonly int _perSecond;
        private readonly List<OrderProcess> _processes = [];
        private readonly List<(TimeSpan At, TimeSpan Took)> _taken = [];
        private int _sent;

        public Load(long seed, int services, int perSecond)
        {
            (_services, _perSecond) = (services, perSecond);
            World = new SimulatedWorld(seed);
            Ports = new OrderPorts(World, new SimulatedLog(World));
            for (var n = 0; n < 3; n++) _processes.Add(new OrderProcess(World.AddNode($"p{n}"), Ports));
        }

        public SimulatedWorld World { get; }
        public OrderPorts Ports { get; }
        public int Unanswered => _sent - _taken.Count;

        public void Dispose() => Ports.Dispose();

        /// <summary>Sends evenly for so long, by turns to each process; then lets all end.</summary>
        public void Run(TimeSpan length, TimeSpan? firstAt = null, TimeSpan? end = null)
        {
            var gap = TimeSpan.FromSeconds(1) / _perSecond;
            for (var (at, n) = (firstAt ?? TimeSpan.FromMilliseconds(200), 0); at < length; (at, n) = (at + gap, n + 1)) SendAt(at, n);
            World.Run(length: end ?? length + TimeSpan.FromSeconds(5));
        }

        public void SendAt(TimeSpan at, int number) => World.After(at, "event", () =>
        {
            _sent++;
            var record = new OutgoingRecord
            {
                Topic = OrderPorts.Topic, OrderingKey = $"service-{number % _services}", Value = Encoding.UTF8.GetBytes($"{number}"),
            };
            _processes[number % _processes.Count].Accept(record, accepted =>
            {
                if (accepted) _taken.Add((at, World.Elapsed - at));
            });
        });

        public TimeSpan LongestFrom(TimeSpan at) => _taken.Where(one => one.At >= at).Max(one => one.Took);
    }
}
