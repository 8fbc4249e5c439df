using System.Text.Json;
using System.Text.Json.Nodes;

namespace Belfry.Local.Services;

/// <summary>
/// The services of one folder: <c>kafka/</c>, <c>postgres/</c>, <c>redis/</c>, what is remembered of them in <c>services.json</c>, and
/// <c>belfry.json</c>, a configuration for the server that names them. Started and stopped by one process at a time.
/// </summary>
internal sealed class ServicesFolder : IDisposable
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly string _folder;
    private readonly FileStream? _hold;

    private ServicesFolder(string folder, FileStream? hold, IReadOnlyList<LocalService> services) =>
        (_folder, _hold, All) = (folder, hold, services);

    public IReadOnlyList<LocalService> All { get; }

    public string ConfigFile => Path.Combine(_folder, "belfry.json");

    /// <summary>Makes what is missing of the folder, and keeps others from changing it until disposed of.</summary>
    /// <exception cref="InvalidOperationException">It was made otherwise than asked for now.</exception>
    /// <exception cref="IOException">Another process starts or stops the same services, or runs on them.</exception>
    public static async Task<ServicesFolder> OpenAsync(string folder, ServicesOptions asked, TimeProvider time, CancellationToken cancel)
    {
        folder = Path.GetFullPath(folder);
        Directory.CreateDirectory(folder);
        var hold = Hold(folder);
        try
        {
            var state = ServicesState.Read(StateOf(folder));
            if (state is null)
            {
                var postgres = await LocalPostgres.FolderAsync(Path.Combine(folder, "postgres"), cancel);
                state = ServicesState.Create(asked, postgres, Random.Shared);
                state.Write(StateOf(folder));
            }
            else
            {
                Check(folder, state, asked);
            }

            return new ServicesFolder(folder, hold, ServicesOf(folder, state, time));
        }
        catch
        {
            await hold.DisposeAsync();
            throw;
        }
    }

    /// <summary>A folder that is there.</summary>
    /// <param name="folder">Any path.</param>
    /// <param name="toLook">True: nothing will be changed, so that others may use it meanwhile.</param>
    /// <param name="time">For waiting.</param>
    /// <exception cref="InvalidOperationException">Nothing was ever started there.</exception>
    /// <exception cref="IOException">Another process starts or stops the same services, or runs on them.</exception>
    public static ServicesFolder Find(string folder, bool toLook, TimeProvider time)
    {
        folder = Path.GetFullPath(folder);
        var state = ServicesState.Read(StateOf(folder))
            ?? throw new InvalidOperationException($"No services were ever started in '{folder}'.");
        return new ServicesFolder(folder, toLook ? null : Hold(folder), ServicesOf(folder, state, time));
    }

    /// <summary>Starts these, side by side; when one does not start, those that were started now are stopped again.</summary>
    /// <exception cref="InvalidOperationException">Something is not installed, or does not start; names all that is missing.</exception>
    public static async Task StartAsync(IReadOnlyList<LocalService> services, CancellationToken cancel)
    {
        var missing = services.Select(service => service.Missing()).OfType<string>().ToList();
        if (missing.Count > 0) throw new InvalidOperationException(string.Join('\n', missing));
        var starts = services.Select(service => service.StartAsync(cancel)).ToList();
        try
        {
            await Task.WhenAll(starts);
        }
        catch
        {
            await StopAsync(services);
            throw;
        }
    }

    /// <summary>Stops these, side by side.</summary>
    public static Task StopAsync(IReadOnlyList<LocalService> services) =>
        Task.WhenAll(services.Select(service => service.StopAsync(CancellationToken.None)));

    /// <summary>Writes <see cref="ConfigFile"/>. The keys are in the folder as well, for all instances.</summary>
    public void WriteConfig()
    {
        var belfry = new JsonObject { ["Shape"] = "clustered", ["Keys"] = Path.Combine(_folder, "keys") };
        foreach (var service in All)
            belfry[service.Key.Section] = new JsonObject(
                service.Settings.Select(setting => KeyValuePair.Create(setting.Key, (JsonNode?)setting.Value)));
        PrivateFile.Write(ConfigFile, new JsonObject { ["Belfry"] = belfry }.ToJsonString(Indented) + "\n");
    }

    public void Dispose() => _hold?.Dispose();

    private static string StateOf(string folder) => Path.Combine(folder, "services.json");

    private static FileStream Hold(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException fault)
        {
            throw new IOException($"Another process uses the services in '{folder}'; end it first. ({fault.Message})", fault);
        }
    }

    private static IReadOnlyList<LocalService> ServicesOf(string folder, ServicesState state, TimeProvider time) =>
    [
        new LocalKafka(Path.Combine(folder, "kafka"), state.KafkaPort, state.Brokers),
        new LocalPostgres(state.PostgresFolder, state.PostgresPort, state.PostgresPassword),
        new LocalRedis(Path.Combine(folder, "redis"), state.RedisPort, state.RedisPassword, time),
    ];

    private static void Check(string folder, ServicesState state, ServicesOptions asked)
    {
        (string What, int? Asked, int Has)[] all =
        [
            ("--brokers", asked.Brokers, state.Brokers), ("--kafka-port", asked.KafkaPort, state.KafkaPort),
            ("--postgres-port", asked.PostgresPort, state.PostgresPort), ("--redis-port", asked.RedisPort, state.RedisPort),
        ];
        foreach (var (what, wanted, has) in all)
            if (wanted is not null && wanted != has)
                throw new InvalidOperationException(
                    $"The services in '{folder}' were made with {what} {has}, not {wanted}; take another folder, or stop and remove it.");
    }
}
