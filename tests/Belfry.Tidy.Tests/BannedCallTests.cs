using System.Reflection;

namespace Belfry.Tidy.Tests;

/// <summary>
/// What would take code out of the simulator's hands (reliability reference, section 4). It holds for the libraries and the product,
/// not for drivers, channels and hosts; cores are held to more.
/// </summary>
public class BannedCallTests
{
    private static readonly Assembly[] Simulated =
    [
        typeof(Log.Partitioner).Assembly, typeof(Scheduling.ScheduledTask).Assembly, typeof(Outbox.OutboxRelay).Assembly,
        typeof(Alerting.Topics).Assembly, typeof(Deliveries.Delivery).Assembly,
    ];

    private const BindingFlags OfThisType =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    // Channels speak to sockets and files: drivers inside the library they belong to.
    private static readonly string[] Drivers =
        ["EmailChannel", "PickupFolderChannel", "WebhookChannel", "OutboundGuard", "GuardedConnection", "AuditChannel", "AuditFile"];

    [Fact]
    public void Nothing_leaves_the_simulators_hands() =>
        Simulated.SelectMany(assembly => Banned(assembly, type => !Drivers.Contains(type.Name))).ShouldBeEmpty();

    [Fact]
    public void Cores_await_nothing_and_read_no_clock() => Simulated.SelectMany(CoreFaults).ShouldBeEmpty();

    [Fact]
    public void There_are_cores_to_look_at() => Simulated.SelectMany(Cores).Count().ShouldBeGreaterThanOrEqualTo(4);

    [Theory]
    [InlineData("DateTime.get_UtcNow")]
    [InlineData("DateTimeOffset.get_UtcNow")]
    [InlineData("Guid.NewGuid")]
    [InlineData("Random.get_Shared")]
    [InlineData("Task.Run")]
    [InlineData("Task.Delay")]
    [InlineData("Stopwatch")]
    [InlineData("Task.ConfigureAwait")]
    [InlineData("ConcurrentDictionary")]
    [InlineData("SemaphoreSlim")]
    public void A_planted_call_is_caught(string call) =>
        Banned(typeof(Planted).Assembly, type => type == typeof(Planted)).ShouldContain(found => found.Contains(call));

    [Fact]
    public void A_planted_core_is_caught() => CoreFaults(typeof(PlantedCore).Assembly).Count().ShouldBe(3);

    private static IEnumerable<string> Banned(Assembly assembly, Func<Type, bool> concerns) =>
        IlReader.Calls(assembly).Where(call => concerns(call.Caller))
            .Select(call => (call.Caller, What: WhyBanned(call.Called))).Where(call => call.What is not null)
            .Select(call => $"{call.Caller.FullName}: {call.What}").Distinct();

    private static string? WhyBanned(MethodBase called)
    {
        var type = called.DeclaringType?.Name.Split('`')[0];
        var name = $"{type}.{called.Name}";
        var banned = name switch
        {
            "DateTime.get_Now" or "DateTime.get_UtcNow" or "DateTime.get_Today" => true,
            "DateTimeOffset.get_Now" or "DateTimeOffset.get_UtcNow" => true,
            "Guid.NewGuid" or "Random.get_Shared" or "Task.Run" or "Thread..ctor" or "Thread.Sleep" or "Timer..ctor" => true,
            "Environment.get_TickCount64" or "TimeProvider.get_System" or "CancellationTokenSource.CancelAfter" => true,
            "Task.Wait" or "Task.get_Result" or "Task.ConfigureAwait" or "ValueTask.ConfigureAwait" => true,
            "Guid.CreateVersion7" or "Random..ctor" => called.GetParameters().Length == 0,
            "Task.Delay" => called.GetParameters().All(parameter => parameter.ParameterType != typeof(TimeProvider)),
            _ => type is "Stopwatch" or "ConcurrentDictionary" or "SemaphoreSlim" or "Parallel",
        };
        return banned ? name : null;
    }

    private static IEnumerable<Type> Cores(Assembly assembly) =>
        assembly.GetTypes().Where(type => type.DeclaringType is null && type.Name.EndsWith("Core", StringComparison.Ordinal));

    private static IEnumerable<string> CoreFaults(Assembly assembly)
    {
        foreach (var core in Cores(assembly))
        {
            foreach (var method in core.GetMethods(OfThisType))
                if (IsAwaited(method.ReturnType))
                    yield return $"{core.FullName}.{method.Name} is asynchronous";
            foreach (var field in core.GetFields(OfThisType))
                if (typeof(TimeProvider).IsAssignableFrom(field.FieldType)) yield return $"{core.FullName} holds a clock";
            foreach (var call in IlReader.Calls(assembly).Where(call => call.Caller == core))
                if (typeof(TimeProvider).IsAssignableFrom(call.Called.DeclaringType))
                    yield return $"{core.FullName} calls {call.Called.Name}";
        }
    }

    private static bool IsAwaited(Type returned) =>
        typeof(Task).IsAssignableFrom(returned) || returned.Name.StartsWith("ValueTask", StringComparison.Ordinal);
}
