using Belfry.Local.Services;

namespace Belfry.Local.Tests;

public sealed class ServicesStateTests
{
    [Theory]
    [InlineData(null, null)]
    [InlineData(SamePorts.First, null)]
    [InlineData(null, SamePorts.First)]
    public void No_two_services_get_the_same_port(int? kafka, int? redis)
    {
        var state = ServicesState.Create(new ServicesOptions(Brokers: 3, KafkaPort: kafka, RedisPort: redis), "pg", new SamePorts());
        int[] brokers = [.. Enumerable.Range(state.KafkaPort, 3), .. Enumerable.Range(state.KafkaPort + 100, 3)];
        int[] ports = [.. brokers, state.PostgresPort, state.RedisPort];
        ports.ShouldBeUnique();
    }

    /// <summary>Each number ten times, as chance may have it.</summary>
    private sealed class SamePorts : Random
    {
        public const int First = 24_000;
        private int _calls;

        public override int Next(int minValue, int maxValue) => First + (_calls++ / 10);
    }
}
