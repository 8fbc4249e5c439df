using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;

namespace Belfry.Tidy.Tests;

/// <summary>
/// What would take code out of the simulator's hands (reliability reference, section 4). It holds for the libraries and the product,
/// not for drivers, channels and hosts; cores are held to more.
/// </summary>
public class BannedCallTests
{
    private static readonly Assembly[] Simulated =
        [typeof(Log.Partitioner).Assembly, typeof(Scheduling.ScheduledTask).Assembly, typeof(Outbox.OutboxRelay).Assembly, typeof(Alerting.Topics).Assembly, typeof(Deliveries.Delivery).Assembly];

    // Channels speak to sockets and files: drivers inside the library they belong to.
    private static readonly string[] Drivers = ["Belfry.Deliveries.Email", "Belfry.Deliveries.Webhooks", "Belfry.Deliveries.Audit"];

    [Fact]
    public void Nothing_leaves_the_simulators_hands() =>
        Simulated.SelectMany(assembly => Banned(assembly, type => !Drivers.Contains(type.Namespace))).ShouldBeEmpty();

    [Fact]
    public void Cores_await_nothing_and_read_no_clock() => Simulated.SelectMany(CoreFaults).ShouldBeEmpty();

    [Fact]
    public void There_are_cores_to_look_at() => Simulated.SelectMany(Cores).Count().ShouldBeGreaterThanOrEqualTo(4);

    [Fact]
    public void Every_planted_call_is_caught()
    {
        var planted = Banned(typeof(Planted).Assembly, type => type == typeof(Planted)).ToList();
        foreach (var method in typeof(Planted).GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
            planted.ShouldContain(found => found.Contains(method.Name.Replace("Calls_", "", StringComparison.Ordinal).Replace('_', '.')), method.Name);
    }

    [Fact]
    public void A_planted_core_is_caught() => CoreFaults(typeof(PlantedCore).Assembly).Count().ShouldBe(3);

    private static IEnumerable<string> Banned(Assembly assembly, Func<Type, bool> concerns) =>
        IlReader.Calls(assembly).Where(call => concerns(call.Caller))
            .Select(call => (call.Caller, What: WhyBanned(call.Called))).Where(call => call.What is not null)
            .Select(call => $"{call.Caller.FullName}: {call.What}").Distinct();

    private static string? WhyBanned(MethodBase called)
    {
        var name = $"{called.DeclaringType?.Name.Split('`')[0]}.{called.Name}";
        return name switch
        {
            "DateTime.get_Now" or "DateTime.get_UtcNow" or "DateTime.get_Today" or "DateTimeOffset.get_Now" or "DateTimeOffset.get_UtcNow" => name,
            "Guid.NewGuid" or "Random.get_Shared" or "Task.Run" or "Thread..ctor" or "Thread.Sleep" or "Timer..ctor" or "Environment.get_TickCount64" => name,
            "TimeProvider.get_System" or "Task.Wait" or "Task.get_Result" or "Task.ConfigureAwait" or "ValueTask.ConfigureAwait" => name,
            "Guid.CreateVersion7" when called.GetParameters().Length == 0 => name,
            "Task.Delay" when called.GetParameters().All(p => p.ParameterType != typeof(TimeProvider)) => name,
            "CancellationTokenSource.CancelAfter" or "Random..ctor" when called.GetParameters().Length == 0 => name,
            _ when called.DeclaringType?.Name.Split('`')[0] is "Stopwatch" or "ConcurrentDictionary" or "SemaphoreSlim" or "Parallel" => name,
            _ => null,
        };
    }

    private static IEnumerable<Type> Cores(Assembly assembly) =>
        assembly.GetTypes().Where(type => type.DeclaringType is null && type.Name.EndsWith("Core", StringComparison.Ordinal));

    private static IEnumerable<string> CoreFaults(Assembly assembly)
    {
        foreach (var core in Cores(assembly))
        {
            foreach (var method in core.GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
                if (typeof(Task).IsAssignableFrom(method.ReturnType) || method.ReturnType.Name.StartsWith("ValueTask", StringComparison.Ordinal))
                    yield return $"{core.FullName}.{method.Name} is asynchronous";
            foreach (var field in core.GetFields(BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance))
                if (typeof(TimeProvider).IsAssignableFrom(field.FieldType)) yield return $"{core.FullName} holds a clock";
            foreach (var call in IlReader.Calls(assembly).Where(call => call.Caller == core && typeof(TimeProvider).IsAssignableFrom(call.Called.DeclaringType)))
                yield return $"{core.FullName} calls {call.Called.Name}";
        }
    }
}

internal static class Planted
{
    public static object Calls_DateTime_get_UtcNow() => DateTime.UtcNow;
    public static object Calls_DateTimeOffset_get_UtcNow() => DateTimeOffset.UtcNow;
    public static object Calls_Guid_NewGuid() => Guid.NewGuid();
    public static object Calls_Random_get_Shared() => Random.Shared;
    public static object Calls_Task_Run() => Task.Run(() => { });
    public static object Calls_Task_Delay() => Task.Delay(1);
    public static object Calls_Stopwatch_StartNew() => Stopwatch.StartNew();
    public static object Calls_Task_ConfigureAwait() => Task.CompletedTask.ConfigureAwait(false);
    public static object Calls_ConcurrentDictionary__ctor() => new ConcurrentDictionary<int, int>();
    public static object Calls_SemaphoreSlim__ctor() => new SemaphoreSlim(1);
}

internal sealed class PlantedCore(TimeProvider time)
{
    public static Task Wait() => Task.CompletedTask;
    public DateTimeOffset Now() => time.GetUtcNow();
}
