using System.Globalization;
using System.Net;
using Belfry.Cluster;

namespace Belfry.Server.Hosting;

/// <summary>Where mails are handed over.</summary>
/// <param name="Host">A name or address.</param>
/// <param name="Port">1 to 65,535.</param>
/// <param name="User">Null: no sign-in.</param>
/// <param name="Password">With <paramref name="User"/>.</param>
/// <param name="Tls">True: STARTTLS is demanded.</param>
internal sealed record SmtpSettings(string Host, int Port, string? User, string? Password, bool Tls)
{
    /// <summary>Reads <c>host:port[,user,password,tls]</c>; the last three by place, each may be empty.</summary>
    public static SmtpSettings? Read(string text, List<string> faults)
    {
        var parts = text.Split(',');
        var colon = parts[0].LastIndexOf(':');
        if (colon > 0 && int.TryParse(parts[0][(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is >= 1 and <= 65_535 && parts.Length <= 4)
        {
            string? Part(int at) => parts.Length > at && parts[at].Length > 0 ? parts[at] : null;
            return new SmtpSettings(parts[0][..colon], port, Part(1), Part(2), Part(3) is "tls" or "true");
        }

        faults.Add("--smtp must read host:port[,user,password,tls].");
        return null;
    }

    // The password stays out of every log line.
    public override string ToString() => $"{Host}:{Port}{(User is null ? "" : " with sign-in")}{(Tls ? " over TLS" : "")}";
}

/// <summary>How the server was asked to run: from the command line, else from configuration <c>Belfry:*</c>, else the default.</summary>
internal sealed record ServerOptions
{
    /// <summary>Holds the database and the keys; made when missing. Default <c>./belfry-data</c>.</summary>
    public string DataDir { get; init; } = "belfry-data";

    /// <summary>Where to listen, separated by semicolons. Port 0: any. Default <c>http://127.0.0.1:8080</c>.</summary>
    public string Urls { get; init; } = "http://127.0.0.1:8080";

    /// <summary>Written once the server serves (<see cref="Hosting.ReadyFile"/>).</summary>
    public string? ReadyFile { get; init; }

    /// <summary>Fills an empty database with people, a rotation, a policy and a service.</summary>
    public bool Demo { get; init; }

    public SmtpSettings? Smtp { get; init; }

    /// <summary>Mails are written here as files when there is no SMTP server. Default: <c>mail</c> in the data folder.</summary>
    public string? MailFolder { get; init; }
    public string MailFrom { get; init; } = "belfry@localhost";

    /// <summary>What links in mails begin with. Default: the first address listened on.</summary>
    public string? BaseUrl { get; init; }

    /// <summary>Hosts, host:port or CIDR ranges that webhooks may reach although they are private; separated by commas.</summary>
    public IReadOnlyList<string> WebhookAllow { get; init; } = [];

    /// <summary>Holds the keys that sign and seal; instances of a cluster share them. Default: <c>keys</c> in the data folder.</summary>
    public string? KeysFolder { get; init; }

    /// <summary>What this process does. Default: everything.</summary>
    public RoleSet Roles { get; init; } = RoleSet.All;

    /// <summary>Opens <c>/health/consumers</c> to programs that watch; at least 32 characters. Default: administrators only.</summary>
    public string? MetricsToken { get; init; }

    /// <summary>Null: the embedded shape.</summary>
    public ClusterOptions? Cluster { get; init; }

    public string KeysPath => KeysFolder ?? Path.Combine(DataDir, "keys");
    public string MailPath => MailFolder ?? Path.Combine(DataDir, "mail");

    public const string Usage = """
        belfry-server: takes events, pages people.

          --data DIR           folder of the database and keys            (./belfry-data)
          --urls URL[;URL]     where to listen                            (http://127.0.0.1:8080)
          --ready-file FILE    write one JSON object there once serving
          --demo               fill an empty database with demo data
          --smtp HOST:PORT[,USER,PASSWORD,tls]   hand mails over there
          --mail-folder DIR    write mails there when there is no SMTP    (DIR/mail)
          --mail-from ADDRESS  sender of mails                            (belfry@localhost)
          --base-url URL       what links in mails begin with             (the first URL)
          --webhook-allow LIST private hosts, host:port or CIDRs that webhooks may reach, by commas
          --shape NAME         embedded, or clustered on Kafka, PostgreSQL and Redis    (embedded)
          --keys DIR           keys that instances of a cluster share     (DIR/keys)
          --roles LIST         what this instance of a cluster does, by commas: api, incidents, planning, scheduler, email,
                               webhook, timeline; without api only health is served     (all)
          --config FILE        JSON with any of these settings and those of the clustered shape

        Each can be set in the environment as well: Belfry__MailFrom=…
        docs/configuration.md lists the settings of the clustered shape.
        """;

    /// <summary>Reads the options; on faults names all of them.</summary>
    public static ServerOptions Read(IReadOnlyList<string> arguments, IConfiguration configuration, List<string> faults)
    {
        var given = ReadArguments(arguments, faults);
        string? Value(string flag, string key) => given.GetValueOrDefault(flag) ?? configuration[$"Belfry:{key}"];
        var defaults = new ServerOptions();
        var options = defaults with
        {
            DataDir = Path.GetFullPath(Value("--data", "Data") ?? defaults.DataDir),
            Urls = Value("--urls", "Urls") ?? defaults.Urls,
            ReadyFile = Value("--ready-file", "ReadyFile"),
            Demo = Value("--demo", "Demo") is "true" or "True",
            Smtp = Value("--smtp", "Smtp") is { } smtp ? SmtpSettings.Read(smtp, faults) : null,
            MailFolder = Value("--mail-folder", "MailFolder") is { } folder ? Path.GetFullPath(folder) : null,
            MailFrom = Value("--mail-from", "MailFrom") ?? defaults.MailFrom,
            BaseUrl = Value("--base-url", "BaseUrl")?.TrimEnd('/'),
            WebhookAllow = Value("--webhook-allow", "WebhookAllow")?.Split(
                ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [],
            KeysFolder = Value("--keys", "Keys") is { } keys ? Path.GetFullPath(keys) : null,
            Roles = RoleSet.Read(Value("--roles", "Roles"), faults),
            MetricsToken = configuration["Belfry:MetricsToken"],
            Cluster = ClusterOf(Value("--shape", "Shape"), configuration, faults),
        };
        if (Value("--shape", "Shape") is null or "embedded" && !options.Roles.AreAll)
            faults.Add(
                $"--roles: the embedded shape is one process that does everything, and '{options.Roles}' is not all; leave --roles out, " +
                "or take --shape clustered.");
        if (!options.Roles.ServesApi && options.BaseUrl is null)
            faults.Add($"--roles without '{RoleSet.Api}' needs --base-url: links in messages must lead to an instance that serves pages.");
        if (options.Cluster is not null && options.KeysFolder is null)
            faults.Add("The clustered shape needs --keys (Belfry:Keys): a folder with the keys that all instances share.");
        options.Check(faults);
        return options;
    }

    /// <summary>The environment, and below it the file that <c>--config</c> names.</summary>
    public static IConfiguration ConfigurationOf(IReadOnlyList<string> arguments, List<string> faults) =>
        ClusterOptions.ConfigurationOf(ReadArguments(arguments, []).GetValueOrDefault("--config"), faults);

    private static ClusterOptions? ClusterOf(string? shape, IConfiguration configuration, List<string> faults)
    {
        if (shape is null or "embedded") return null;
        if (shape == "clustered") return ClusterOptions.Read(configuration, faults);
        faults.Add($"--shape: '{shape}' is no shape; embedded and clustered are.");
        return null;
    }

    private void Check(List<string> faults)
    {
        foreach (var url in Urls.Split(';', StringSplitOptions.RemoveEmptyEntries))
            if (!Uri.TryCreate(url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var uri)
                || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
                faults.Add($"--urls: '{url}' is no http or https address.");
        if (BaseUrl is not null
            && (!Uri.TryCreate(BaseUrl, UriKind.Absolute, out var link) || !link.Scheme.StartsWith("http", StringComparison.Ordinal)))
            faults.Add($"--base-url: '{BaseUrl}' is no http or https address.");
        if (MetricsToken is { Length: < Security.MetricsToken.CharsMin })
            faults.Add($"Belfry:MetricsToken has {MetricsToken.Length} characters, {Security.MetricsToken.CharsMin} or more are needed.");
        if (!System.Net.Mail.MailAddress.TryCreate(MailFrom, out _)) faults.Add($"--mail-from: '{MailFrom}' is no mail address.");
    }

    private static Dictionary<string, string> ReadArguments(IReadOnlyList<string> arguments, List<string> faults)
    {
        string[] flags =
        [
            "--data", "--urls", "--ready-file", "--smtp", "--mail-folder", "--mail-from", "--base-url", "--webhook-allow", "--shape",
            "--keys", "--config", "--roles",
        ];
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var at = 0; at < arguments.Count; at++)
        {
            var (flag, value) = arguments[at].Split('=', 2) is [var name, var rest] ? (name, rest) : (arguments[at], null);
            if (flag == "--demo") given[flag] = value ?? "true";
            else if (!flags.Contains(flag)) faults.Add($"'{flag}' is no option.");
            else if (value is not null) given[flag] = value;
            else if (at + 1 < arguments.Count) given[flag] = arguments[++at];
            else faults.Add($"{flag} needs a value.");
        }

        return given;
    }
}
