using StackExchange.Redis;

namespace Belfry.Redis;

/// <summary>Settings of <see cref="RedisFastClaims"/>. All have bounds.</summary>
public sealed record RedisOptions
{
    internal const int KeyPrefixCharsMax = 64;

    /// <summary>
    /// Where Redis is and how to sign in, as StackExchange.Redis writes it: <c>redis1:6379,redis2:6379,user=belfry,password=…</c>. Its
    /// abortConnect, connectTimeout, connectRetry, tiebreaker and configChannel have no effect here.
    /// </summary>
    public required string Configuration { get; init; }

    /// <summary>Put before every key, so that others may use the same database. 1 to 64 printable ASCII characters.</summary>
    public string KeyPrefix { get; init; } = "belfry:";

    /// <summary>The number of the database. Default: what <see cref="Configuration"/> says, else 0. A cluster has only 0.</summary>
    public int? Database { get; init; }

    /// <summary>
    /// Whether to speak TLS and demand a certificate for the host named, signed by an authority that this machine trusts, or one of
    /// <see cref="CaFile"/>. Default: what <see cref="Configuration"/> says, else no.
    /// </summary>
    public bool? Tls { get; init; }

    /// <summary>
    /// Certificates of the authorities to trust instead of the machine's, PEM; read again for each connection. Default: the machine's.
    /// </summary>
    public string? CaFile { get; init; }

    /// <summary>Limit on making a connection. Default 2 s.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The longest a delivery waits for an answer; past it the store alone decides. Shorter costs questions to the store while Redis is
    /// slow, longer makes deliveries late. Default 250 ms.
    /// </summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Failures in a row after which Redis is left alone for a while. Default 3.</summary>
    public int FailuresToPause { get; init; } = 3;

    /// <summary>
    /// How long it is left alone before one question is let through; doubled with each that fails too. Default 1 s.
    /// </summary>
    public TimeSpan PauseFor { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Where the doubling ends. Default 15 s.</summary>
    public TimeSpan PauseForMax { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// After failing for so long the connections are made anew: one may hang on a way that is gone, or lead to a server that has become a
    /// replica. Default 30 s.
    /// </summary>
    public TimeSpan ReconnectAfter { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most questions without an answer yet; past it the store is asked at once. Default 20,000.</summary>
    public int InFlightMax { get; init; } = 20_000;

    /// <summary>How long a claim that was not completed holds. Default 10 min.</summary>
    public TimeSpan ProcessingFor { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long a completed key is remembered, at some 150 bytes of Redis each. Default 24 h.
    /// </summary>
    public TimeSpan CompletedFor { get; init; } = TimeSpan.FromHours(24);

    /// <summary>All faults in one message.</summary>
    /// <exception cref="ArgumentException">A value is out of its bounds.</exception>
    public void Validate()
    {
        List<string> faults = [];
        var unreadable = ConfigurationFault();
        if (unreadable is not null) faults.Add(unreadable);
        if (KeyPrefix is not { Length: > 0 and <= KeyPrefixCharsMax } || KeyPrefix.Any(c => c is <= ' ' or >= '\x7f'))
            faults.Add($"KeyPrefix is '{KeyPrefix}', it must be 1 to {KeyPrefixCharsMax} printable ASCII characters");
        if (CaFile is not null)
        {
            if (unreadable is null && !(Tls ?? Parse().Ssl)) faults.Add("CaFile is set, but Tls is off");
            if (new RedisAuthorities(CaFile).Fault() is { } fault) faults.Add(fault);
        }

        if (Database < 0) faults.Add($"Database is {Database}, it must be 0 or more");
        Within(faults, nameof(ConnectTimeout), ConnectTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1));
        Within(faults, nameof(AnswerTimeout), AnswerTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(30));
        if (FailuresToPause < 1) faults.Add($"FailuresToPause is {FailuresToPause}, it must be 1 or more");
        if (PauseFor <= TimeSpan.Zero || PauseForMax < PauseFor)
            faults.Add($"PauseFor is {PauseFor}, it must be above zero and at most PauseForMax, {PauseForMax}");
        if (ReconnectAfter < ConnectTimeout)
            faults.Add($"ReconnectAfter is {ReconnectAfter}, it must be at least ConnectTimeout, {ConnectTimeout}");
        if (InFlightMax < 1) faults.Add($"InFlightMax is {InFlightMax}, it must be 1 or more");
        Within(faults, nameof(ProcessingFor), ProcessingFor, TimeSpan.FromSeconds(1), TimeSpan.FromDays(30));
        Within(faults, nameof(CompletedFor), CompletedFor, TimeSpan.FromSeconds(1), TimeSpan.FromDays(30));
        if (faults.Count > 0) throw new ArgumentException($"Redis options: {string.Join("; ", faults)}.");
    }

    internal ConfigurationOptions ToConfiguration()
    {
        var configuration = Parse();
        if (Database is { } database) configuration.DefaultDatabase = database;
        if (Tls is { } tls) configuration.Ssl = tls;
        if (CaFile is not null)
        {
            var authorities = new RedisAuthorities(CaFile);
            configuration.CertificateValidation += (_, certificate, chain, errors) => authorities.Accept(certificate, chain, errors);
        }

        configuration.ConnectTimeout = (int)ConnectTimeout.TotalMilliseconds;

        // A start goes on without Redis, and the client looks for it once a second ever after.
        configuration.AbortOnConnectFail = false;
        configuration.ConnectRetry = 1;

        // No keys and channels of the client's own: an account may be held to our prefix.
        configuration.TieBreaker = "";
        configuration.ConfigurationChannel = "";
        return configuration;
    }

    private string? ConfigurationFault()
    {
        if (string.IsNullOrWhiteSpace(Configuration)) return "Configuration is empty, it must name a server, as in 'host:port'";
        try
        {
            return Parse().EndPoints.Count > 0 ? null : "Configuration names no server, it must have at least one 'host:port'";
        }
        catch (ArgumentException fault)
        {
            return $"Configuration cannot be read: {fault.Message.TrimEnd('.')}";
        }
    }

    private ConfigurationOptions Parse() => ConfigurationOptions.Parse(Configuration);

    private static void Within(List<string> faults, string name, TimeSpan value, TimeSpan least, TimeSpan most)
    {
        if (value < least || value > most) faults.Add($"{name} is {value}, it must be {least} to {most}");
    }
}
