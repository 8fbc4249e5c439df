using Belfry.Outbox;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>Settings of one <see cref="PostgresDatabase"/>. All but the connection string have defaults that suit one process.</summary>
public sealed record PostgresOptions
{
    /// <summary>
    /// Where the server is and who asks: host, port, database, user, password, TLS, in Npgsql's words. Pool size, timeouts, search path and
    /// preparing are set by the options below, whatever it says of them.
    /// </summary>
    public required string ConnectionString { get; init; }

    /// <summary>
    /// Further databases, as connection strings, over which tasks and deliveries are spread by 4,096 buckets; <see cref="PostgresShards"/>
    /// opens them. Their number and order are for life: a start with others is refused unless all are empty. At most 63. Default none.
    /// </summary>
    public IReadOnlyList<string> Shards { get; init; } = [];

    /// <summary>
    /// The schema that holds all tables: lower-case letters, digits and underscores, at most 63. Nothing is made outside it. Default
    /// <c>belfry</c>.
    /// </summary>
    public string Schema { get; init; } = "belfry";

    /// <summary>
    /// Connections of this process, and threads for works that block (<see cref="PostgresOutboxStore"/>). Up to six more are used: one to
    /// migrate, one to hold lanes, and one to look at them, up to four while the server is slow. Default 20; the sum over all processes
    /// must stay below the server's max_connections.
    /// </summary>
    public int ConnectionsMax { get; init; } = 20;

    /// <summary>How long a call waits for a free connection, and for a new one to open. Default 10 s.</summary>
    public TimeSpan WaitMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one statement may take before it is given up. Default 30 s.</summary>
    public TimeSpan StatementMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long the server lets a transaction wait for its next statement before it ends the session. It bounds how long a frozen process
    /// keeps a new owner from taking over. Default 5 s.
    /// </summary>
    public TimeSpan IdleInTransactionMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long an idle session that holds outbox lanes is kept: so long a frozen process keeps others from publishing. The session is idle
    /// while a lot is appended, which a relay gives 5 s (<see cref="OutboxRelay.LotTimeMax"/>), so at least 6 s. Default 8 s.
    /// </summary>
    public TimeSpan LaneHoldIdleMax { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>How long a migration may take, the wait for another process's included. Default 10 minutes.</summary>
    public TimeSpan MigrationMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Statements that a connection keeps prepared. 0: none, for a pooler that gives each transaction another server session. Default 200.
    /// </summary>
    public int PreparedMax { get; init; } = 200;

    /// <summary>Tests set it, to see a lane change hands sooner.</summary>
    internal TimeSpan LaneHoldIdleMin { get; init; } = OutboxRelay.LotTimeDefault + TimeSpan.FromSeconds(1);

    /// <summary>Tests whose calls wait a short time for a connection give a new one longer to open. Null: <see cref="WaitMax"/>.</summary>
    internal TimeSpan? OpenMax { get; init; }

    /// <summary>How long a look at a lane may hang. Tests that are not about that give it longer.</summary>
    internal TimeSpan LookMax { get; init; } = TimeSpan.FromSeconds(2);

    private const int ShardsMax = 63;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>The same of each database alone, home first.</summary>
    internal IEnumerable<PostgresOptions> EachDatabase() =>
        Shards.Prepend(ConnectionString).Select(database => this with { ConnectionString = database, Shards = [] });

    /// <exception cref="ArgumentException">A setting is out of its range; names all that are.</exception>
    internal void Validate()
    {
        var faults = new List<string>();
        if (string.IsNullOrWhiteSpace(ConnectionString)) faults.Add($"{nameof(ConnectionString)} is empty");
        if (Shards.Count > ShardsMax) faults.Add($"{nameof(Shards)} has {Shards.Count} databases, at most {ShardsMax} are allowed");
        if (Shards.Any(string.IsNullOrWhiteSpace)) faults.Add($"{nameof(Shards)} has an empty connection string");
        else if (Shards.Append(ConnectionString).Distinct(StringComparer.Ordinal).Count() <= Shards.Count)
            faults.Add($"{nameof(Shards)} names a database twice");
        if (!IsName(Schema))
            faults.Add($"{nameof(Schema)} is '{Schema}', 1 to 63 lower-case letters, digits or underscores are needed, no digit first");
        if (ConnectionsMax < 1) faults.Add($"{nameof(ConnectionsMax)} is {ConnectionsMax}, at least 1 is needed");
        if (PreparedMax < 0) faults.Add($"{nameof(PreparedMax)} is {PreparedMax}, at least 0 is needed");
        AtLeast(nameof(WaitMax), WaitMax, TimeSpan.FromSeconds(1));
        AtLeast(nameof(StatementMax), StatementMax, TimeSpan.FromSeconds(1));
        AtLeast(nameof(IdleInTransactionMax), IdleInTransactionMax, TimeSpan.FromMilliseconds(100));
        AtLeast(nameof(LaneHoldIdleMax), LaneHoldIdleMax, LaneHoldIdleMin);
        AtLeast(nameof(MigrationMax), MigrationMax, TimeSpan.FromSeconds(1));
        if (faults.Count > 0) throw new ArgumentException($"PostgresOptions: {string.Join("; ", faults)}.");

        void AtLeast(string name, TimeSpan value, TimeSpan least)
        {
            if (value < least || value > TimeSpan.FromDays(1)) faults.Add($"{name} is {value}, {least} to 1 day is needed");
        }
    }

    /// <summary>The connection string with the settings of the options in it.</summary>
    internal NpgsqlConnectionStringBuilder Pooled()
    {
        var text = Unpooled();
        text.Pooling = true;
        text.MinPoolSize = 0;
        text.MaxPoolSize = ConnectionsMax;
        text.MaxAutoPrepare = PreparedMax;
        text.AutoPrepareMinUsages = 2;
        text.Options = $"{text.Options} -c idle_in_transaction_session_timeout={Ms(IdleInTransactionMax)}".TrimStart();
        return text;
    }

    /// <summary>For a session that one user keeps for itself.</summary>
    internal NpgsqlConnectionStringBuilder Unpooled()
    {
        var text = new NpgsqlConnectionStringBuilder(ConnectionString)
        {
            Pooling = false,
            Enlist = false,
            SearchPath = Schema,
            Timeout = Seconds(OpenMax ?? WaitMax),
            CommandTimeout = Seconds(StatementMax),
            MaxAutoPrepare = 0,
        };
        text.ApplicationName ??= "belfry";
        return text;
    }

    internal static int Seconds(TimeSpan length) => (int)Math.Ceiling(length.TotalSeconds);

    internal static long Ms(TimeSpan length) => (long)Math.Ceiling(length.TotalMilliseconds);

    private static bool IsName(string text) =>
        text is { Length: >= 1 and <= 63 } && !char.IsAsciiDigit(text[0])
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_');
}
