using System.Globalization;
using Belfry.Local.Services;
using Microsoft.Extensions.Configuration;

namespace Belfry.Local.Instances;

/// <summary>How the clustered shape was asked to run here. What is not listed goes to each instance as it is.</summary>
internal sealed record RunOptions
{
    private const int InstancesMax = 16;
    private const string DefaultUrls = "http://127.0.0.1:8080";

    /// <summary>Processes to run; 1 to 16.</summary>
    public required int Instances { get; init; }

    /// <summary>Above the instances' folders, full path.</summary>
    public required string DataDir { get; init; }

    /// <summary>Of the first instance.</summary>
    public required string Urls { get; init; }

    /// <summary>Written once all instances serve; full path.</summary>
    public string? ReadyFile { get; init; }

    /// <summary>What all instances share; full path.</summary>
    public required string KeysDir { get; init; }

    /// <summary>Of all instances; null: as the server does by itself.</summary>
    public string? MailFolder { get; init; }

    /// <summary>What links begin with; null: the first instance's address.</summary>
    public string? BaseUrl { get; init; }

    /// <summary>The first instance fills an empty store.</summary>
    public required bool Demo { get; init; }

    /// <summary>Where services are started that the configuration does not name; full path.</summary>
    public required string ServicesDir { get; init; }

    /// <summary>For those.</summary>
    public required ServicesOptions Services { get; init; }

    /// <summary>The file that <c>--config</c> names; full path.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>The configuration that instances will see, command line apart.</summary>
    public required IConfiguration Configuration { get; init; }

    /// <summary>For each instance.</summary>
    public required IReadOnlyList<string> Others { get; init; }

    /// <exception cref="UsageException">Names all faults.</exception>
    public static RunOptions Read(IReadOnlyList<string> arguments)
    {
        var words = new Words(
            arguments, "--instances", "--brokers", "--services", "--shape", "--config", "--data", "--urls", "--ready-file", "--keys",
            "--mail-folder", "--smtp", "--base-url");
        var configFile = words["--config"] is { } named ? Path.GetFullPath(named) : null;
        var configuration = ConfigurationOf(configFile, words.Faults);
        string? Value(string option, string key) => words[option] ?? configuration[$"Belfry:{key}"];
        if ((Value("--shape", "Shape") ?? "clustered") is var shape and not "clustered")
            words.Faults.Add($"--shape is '{shape}'; several processes, and those that share services, are of the shape 'clustered'.");
        var data = Path.GetFullPath(Value("--data", "Data") ?? "belfry-data");
        var urls = Value("--urls", "Urls") ?? DefaultUrls;
        var smtp = Value("--smtp", "Smtp");
        var options = new RunOptions
        {
            Instances = words.Number("--instances", 1, InstancesMax) ?? 1,
            DataDir = data,
            Urls = urls,
            ReadyFile = Value("--ready-file", "ReadyFile") is { } ready ? Path.GetFullPath(ready) : null,
            KeysDir = Path.GetFullPath(Value("--keys", "Keys") ?? Path.Combine(data, "keys")),
            MailFolder = Value("--mail-folder", "MailFolder") is { } mail ? Path.GetFullPath(mail)
                : smtp is null ? Path.Combine(data, "mail") : null,
            BaseUrl = Value("--base-url", "BaseUrl"),
            Demo = words.Rest.Any(word => word is "--demo" or "--demo=true") || configuration["Belfry:Demo"] is "true" or "True",
            ServicesDir = Path.GetFullPath(words["--services"] ?? Path.Combine(data, "services")),
            Services = new ServicesOptions(words.Brokers()),
            ConfigFile = configFile,
            Configuration = configuration,
            Others = [.. words.Rest.Where(word => word.Split('=')[0] != "--demo"), .. smtp is null ? [] : (string[])["--smtp", smtp]],
        };
        if (UrlsOf(urls, options.Instances) is null)
            words.Faults.Add($"--urls: '{urls}' leaves no ports for {options.Instances} instances.");
        words.ThrowOnFaults();
        return options;
    }

    /// <summary>The addresses of an instance: each port as many above the given one. Port 0 stays any.</summary>
    /// <param name="instance">From 1.</param>
    public string UrlsOf(int instance) => UrlsOf(Urls, instance)!;

    /// <summary>The folder of an instance's data.</summary>
    public string DataOf(int instance) => Path.Combine(DataDir, instance.ToString(CultureInfo.InvariantCulture));

    /// <summary>True: nothing need be started but instances.</summary>
    public bool NamesAll => Names(LocalKafka.Setting) && Names(LocalPostgres.Setting) && Names(LocalRedis.Setting);

    /// <summary>True: the configuration says where that service is, so that none is started.</summary>
    public bool Names((string Section, string Address) key) =>
        !string.IsNullOrWhiteSpace(Configuration[$"Belfry:{key.Section}:{key.Address}"]);

    private static string? UrlsOf(string urls, int instance)
    {
        var moved = urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(url => UrlOf(url, instance)).ToList();
        return moved.Contains(null) ? null : string.Join(';', moved);
    }

    // No Uri: hosts such as * are none to it. The server refuses what is no address.
    private static string? UrlOf(string url, int instance)
    {
        var trimmed = url.TrimEnd('/');
        var colon = trimmed.LastIndexOf(':');
        if (!int.TryParse(trimmed[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            (trimmed, colon, port) = (trimmed + ":", trimmed.Length, trimmed.StartsWith("https:", StringComparison.Ordinal) ? 443 : 80);
        if (port == 0) return url;
        port += instance - 1;
        return port > ushort.MaxValue ? null : $"{trimmed[..colon]}:{port}";
    }

    private static IConfiguration ConfigurationOf(string? file, List<string> faults)
    {
        var builder = new ConfigurationBuilder();
        try
        {
            if (file is not null) builder.AddJsonFile(file, optional: false);
            return builder.AddEnvironmentVariables().Build();
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            faults.Add($"--config: {fault.Message}");
            return new ConfigurationBuilder().AddEnvironmentVariables().Build();
        }
    }
}
