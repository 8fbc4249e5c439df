using Belfry.Local.Instances;
using Belfry.Local.Services;

namespace Belfry.Local;

/// <summary><c>belfry-local run</c>: instances of the server, and the services that the configuration does not name.</summary>
internal static class RunCommand
{
    public static async Task<int> RunAsync(
        IReadOnlyList<string> arguments, TimeProvider time, CancellationToken stop, CancellationToken hurry)
    {
        var options = RunOptions.Read(arguments);
        using var folder = await NeededAsync(options, time, stop);
        var services = folder is null ? [] : folder.All.Where(service => !options.Names(service.Key)).ToList();
        var environment = new Dictionary<string, string>();
        foreach (var service in services)
            foreach (var (key, value) in service.Settings)
                environment[$"Belfry__{service.Key.Section}__{key}"] = value;
        // Who started the others ends them.
        var ours = await NotUpAsync(services, stop);
        try
        {
            await ServicesFolder.StartAsync(ours, stop);
            using var instances = new InstanceSet(options, environment, time);
            return await instances.RunAsync(
                told =>
                {
                    if (options.ReadyFile is { } file) PrivateFile.Write(file, told.ToJsonString());
                }, stop, hurry);
        }
        finally
        {
            await ServicesFolder.StopAsync(ours);
        }
    }

    private static async Task<IReadOnlyList<LocalService>> NotUpAsync(IReadOnlyList<LocalService> services, CancellationToken cancel)
    {
        var down = new List<LocalService>();
        foreach (var service in services)
        {
            var up = await service.IsUpAsync(cancel);
            Console.WriteLine($"{service.Name} at {service.Address} {(up ? "runs already and will be left running" : "is started")}.");
            if (!up) down.Add(service);
        }

        return down;
    }

    /// <summary>Null: the configuration names all.</summary>
    private static async Task<ServicesFolder?> NeededAsync(RunOptions options, TimeProvider time, CancellationToken cancel)
    {
        if (options.NamesAll) return null;
        return await ServicesFolder.OpenAsync(options.ServicesDir, options.Services, time, cancel);
    }
}
