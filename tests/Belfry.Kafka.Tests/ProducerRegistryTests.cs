using System.Reflection;
using Belfry.Log;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

public sealed class ProducerRegistryTests
{
    [SkippableFact]
    public async Task Ten_logs_and_three_hundred_appends_make_one_producer()
    {
        using var cluster = new MockCluster();
        cluster.CreateTopic("orders", 1);
        var registry = new ProducerRegistry();
        var logs = new List<KafkaLog>();
        for (var n = 0; n < 10; n++) logs.Add(TestLog.Open(TestLog.Options(cluster.Bootstrap), registry));
        await logs[0].DeclareAsync([TestLog.Topic("orders", 1)], default);
        for (var n = 0; n < 300; n++) await logs[0].AppendAsync([TestLog.Record("orders", $"{n}")], default);
        registry.Created.ShouldBe(1);
        registry.Alive.ShouldBe(1);
        foreach (var log in logs) await log.DisposeAsync();
        registry.Alive.ShouldBe(0);
    }

    [SkippableFact]
    public async Task More_configurations_than_the_cap_are_refused_by_name_and_one_that_is_closed_makes_room()
    {
        Native.Need();
        var registry = new ProducerRegistry();
        var rented = Enumerable.Range(0, ProducerRegistry.AliveMax + 1).Select(n => Rent(registry, $"127.0.0.1:{n + 1}")).ToList();
        foreach (var producer in rented[..^1]) await AppendAsync(producer);
        registry.Alive.ShouldBe(ProducerRegistry.AliveMax);
        var refused = await Should.ThrowAsync<InvalidOperationException>(() => AppendAsync(rented[^1]));
        refused.Message.ShouldContain($"at most {ProducerRegistry.AliveMax}");
        registry.Created.ShouldBe(ProducerRegistry.AliveMax);
        await registry.ReturnAsync(rented[0]);
        registry.Alive.ShouldBe(ProducerRegistry.AliveMax - 1);
        await AppendAsync(rented[^1]);
        registry.Created.ShouldBe(ProducerRegistry.AliveMax + 1);
        foreach (var producer in rented[1..]) await registry.ReturnAsync(producer);
        registry.Alive.ShouldBe(0);
    }

    [Fact]
    public void Only_the_registry_makes_producers() => Makers(Ours(typeof(KafkaLog).Assembly)).ShouldBe([nameof(ProducerRegistry)]);

    [Fact]
    public void A_planted_producer_is_caught() => Makers([typeof(Planted).Assembly]).ShouldContain(nameof(ProducerRegistryTests));

    private static SharedProducer Rent(ProducerRegistry registry, string bootstrap) => registry.Rent(
        new ProducerConfig { BootstrapServers = bootstrap }, TimeSpan.FromMilliseconds(200), TimeProvider.System, NullLogger.Instance);

    /// <summary>Makes the producer; no broker answers, so it is cancelled.</summary>
    private static async Task AppendAsync(SharedProducer producer)
    {
        using var cancel = new CancellationTokenSource();
        var append = producer.AppendAsync(
            [(new Confluent.Kafka.TopicPartition("orders", 0), new Message<byte[], byte[]> { Key = [1], Value = [1] })], cancel.Token);
        await cancel.CancelAsync();
        try
        {
            await append;
        }
        catch (OperationCanceledException)
        {
            // As meant.
        }
    }

    /// <summary>The driver and every library of ours beside it.</summary>
    private static IEnumerable<Assembly> Ours(Assembly driver) =>
        Directory.EnumerateFiles(Path.GetDirectoryName(driver.Location)!, "Belfry.*.dll")
            .Where(file => !file.EndsWith(".Tests.dll", StringComparison.Ordinal)).Select(Assembly.LoadFrom);

    /// <summary>Types with a method whose code constructs a builder of producers.</summary>
    private static IEnumerable<string> Makers(IEnumerable<Assembly> assemblies) =>
        from assembly in assemblies
        from type in assembly.GetTypes()
        from method in type.GetMembers(Everything).OfType<MethodBase>()
        where Constructs(method)
        select Outermost(type).Name;

    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    /// <summary>newobj is 0x73 with a token behind it; bytes that look so by chance resolve to something else.</summary>
    private static bool Constructs(MethodBase method)
    {
        var il = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        for (var at = 0; at + 5 <= il.Length; at++)
            if (il[at] == 0x73 && Made(method, BitConverter.ToInt32(il, at + 1)) is { } made
                && made.Name.StartsWith("ProducerBuilder", StringComparison.Ordinal)) return true;
        return false;
    }

    private static Type? Made(MethodBase method, int token)
    {
        try
        {
            var types = method.DeclaringType is { IsGenericType: true } declaring ? declaring.GetGenericArguments() : null;
            return method.Module.ResolveMethod(token, types, method.IsGenericMethod ? method.GetGenericArguments() : null)?.DeclaringType;
        }
        catch (Exception fault) when (fault is ArgumentException or BadImageFormatException)
        {
            return null;
        }
    }

    /// <summary>Never run.</summary>
    private static class Planted
    {
        public static object Make() => new ProducerBuilder<int, int>(new ProducerConfig());
    }
}
