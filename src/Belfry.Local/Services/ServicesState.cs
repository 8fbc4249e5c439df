using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Local.Services;

/// <summary>What a folder of services must remember: they come back on the same ports, with the same passwords.</summary>
internal sealed record ServicesState(
    int KafkaPort, int Brokers, int PostgresPort, string PostgresFolder, string PostgresPassword, int RedisPort, string RedisPassword)
{
    private const int PasswordBytes = 24;

    // Of the script: a broker's controller listens a hundred above it.
    private const int ControllerDistance = 100;

    /// <summary>Null: nothing was ever started there.</summary>
    /// <exception cref="InvalidOperationException">The file is no such state.</exception>
    public static ServicesState? Read(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(path), StateJson.Default.ServicesState)
                ?? throw new JsonException("it is null");
        }
        catch (JsonException fault)
        {
            throw new InvalidOperationException($"'{path}' does not tell of services ({fault.Message}); remove its folder.", fault);
        }
    }

    /// <summary>Ports as asked for, else free ones, of which no two services get the same; new passwords.</summary>
    public static ServicesState Create(ServicesOptions options, string postgresFolder, Random random)
    {
        var brokers = options.Brokers ?? 1;
        int[] others = [.. Enumerable.Range(0, brokers).SelectMany(n => (int[])[n, n + ControllerDistance])];
        // Nobody listens at any of them yet.
        HashSet<int> taken = [.. new[] { options.PostgresPort, options.RedisPort }.OfType<int>()];
        if (options.KafkaPort is { } named) taken.UnionWith(others.Select(distance => named + distance));
        return new ServicesState(
            options.KafkaPort ?? FreePorts.Take(random, taken, others), brokers,
            options.PostgresPort ?? FreePorts.Take(random, taken), postgresFolder,
            RandomNumberGenerator.GetHexString(PasswordBytes * 2, lowercase: true),
            options.RedisPort ?? FreePorts.Take(random, taken),
            RandomNumberGenerator.GetHexString(PasswordBytes * 2, lowercase: true));
    }

    public void Write(string path) => PrivateFile.Write(path, JsonSerializer.Serialize(this, StateJson.Default.ServicesState));
}

/// <summary>What was asked for; null where it was not.</summary>
internal sealed record ServicesOptions(int? Brokers = null, int? KafkaPort = null, int? PostgresPort = null, int? RedisPort = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ServicesState))]
internal sealed partial class StateJson : JsonSerializerContext;
