using Belfry.Local.Services;

namespace Belfry.Local;

/// <summary><c>belfry-local services</c>: starts, stops and shows what the clustered shape runs on.</summary>
internal static class ServicesCommand
{
    private const string DefaultFolder = "belfry-services";

    // As init scripts have it: not running.
    private const int NotUp = 3;

    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, TimeProvider time, CancellationToken cancel)
    {
        var words = new Words(arguments, "--dir", "--brokers", "--kafka-port", "--postgres-port", "--redis-port");
        var options = new ServicesOptions(
            words.Brokers(), Port(words, "--kafka-port"), Port(words, "--postgres-port"), Port(words, "--redis-port"));
        var verb = words.Rest is [var only] && only is "start" or "stop" or "status" ? words.Rest[0] : words.Rest is [] ? "start" : null;
        if (verb is null) words.Faults.Add($"'{string.Join(' ', words.Rest)}' is none of start, stop and status.");
        words.ThrowOnFaults();
        var folder = words["--dir"] ?? DefaultFolder;
        using var services = verb == "start"
            ? await ServicesFolder.OpenAsync(folder, options, time, cancel)
            : ServicesFolder.Find(folder, toLook: verb == "status", time);
        return verb switch
        {
            "start" => await StartAsync(services, cancel),
            "stop" => await StopAsync(services),
            _ => await StatusAsync(services, cancel),
        };
    }

    private static int? Port(Words words, string name) => words.Number(name, 1, ushort.MaxValue);

    private static async Task<int> StartAsync(ServicesFolder services, CancellationToken cancel)
    {
        await ServicesFolder.StartAsync(services.All, cancel);
        services.WriteConfig();
        await StatusAsync(services, cancel);
        Console.WriteLine($"The server runs on them with: --config {services.ConfigFile}");
        return 0;
    }

    private static async Task<int> StopAsync(ServicesFolder services)
    {
        await ServicesFolder.StopAsync(services.All);
        return 0;
    }

    private static async Task<int> StatusAsync(ServicesFolder services, CancellationToken cancel)
    {
        var ups = await Task.WhenAll(services.All.Select(service => service.IsUpAsync(cancel)));
        foreach (var (service, up) in services.All.Zip(ups))
            Console.WriteLine($"{service.Name,-10} {(up ? "up  " : "down")} {service.Address}");
        return ups.All(up => up) ? 0 : NotUp;
    }
}
