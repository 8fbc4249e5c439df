using System.Data;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>
/// A connection whose commands keep their prepared statements after they are disposed of, by their text: SQL that comes through
/// <see cref="System.Data.Common"/> or Dapper is parsed and planned once, not at each call. For one user at a time, as any connection.
/// </summary>
internal sealed class SqliteCachingConnection(string connectionString) : SqliteConnection(connectionString)
{
    /// <summary>Texts are constants but for lists of values, whose lengths differ; past this all are let go and begin anew.</summary>
    internal const int IdleMax = 256;

    private readonly Dictionary<string, SqliteCommand> _idle = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SqliteNonQuery?> _nonQueries = new(StringComparer.Ordinal);

    internal int Idle => _idle.Count;

    public override SqliteCommand CreateCommand() => new LentCommand(this);

    public override void Close()
    {
        Forget();
        base.Close();
    }

    private SqliteCommand Take(string text)
    {
        if (_idle.Remove(text, out var command)) return command;
        command = base.CreateCommand();
        command.CommandText = text;
        return command;
    }

    private void GiveBack(SqliteCommand command)
    {
        command.Parameters.Clear();
        if (State == ConnectionState.Open && _idle.Count >= IdleMax) Forget();
        if (State != ConnectionState.Open || !_idle.TryAdd(command.CommandText, command)) command.Dispose();
    }

    /// <summary>Null: the command goes its own way.</summary>
    private SqliteNonQuery? NonQuery(string text)
    {
        if (_nonQueries.TryGetValue(text, out var known)) return known;
        if (_nonQueries.Count >= IdleMax) Forget();
        return _nonQueries[text] = SqliteNonQuery.Prepare(this, text);
    }

    private void Forget()
    {
        foreach (var command in _idle.Values) command.Dispose();
        _idle.Clear();
        foreach (var statement in _nonQueries.Values) statement?.Dispose();
        _nonQueries.Clear();
    }

    /// <summary>Stands for the kept command of its text, from when the text is set until it is disposed of.</summary>
    private sealed class LentCommand : SqliteCommand
    {
        private readonly SqliteCachingConnection _lender;
        private SqliteCommand? _kept;

        public LentCommand(SqliteCachingConnection lender)
        {
            _lender = lender;
            Connection = lender;
            CommandTimeout = lender.DefaultTimeout;
        }

        [AllowNull]
        public override string CommandText
        {
            get => _kept?.CommandText ?? "";
            set => Exchange(value ?? "");
        }

        public override SqliteParameterCollection Parameters => _kept?.Parameters ?? base.Parameters;

        public override SqliteDataReader ExecuteReader(CommandBehavior behavior)
        {
            if (_kept is null) throw new InvalidOperationException("The command has no text.");
            _kept.Transaction = Transaction;
            _kept.CommandTimeout = CommandTimeout;
            return _kept.ExecuteReader(behavior);
        }

        public override int ExecuteNonQuery() =>
            _kept is { } kept && _lender.State == ConnectionState.Open && _lender.NonQuery(kept.CommandText) is { } direct
            && direct.TryRun(kept.Parameters, out var changes)
                ? changes
                : base.ExecuteNonQuery();

        public override void Prepare() => _kept?.Prepare();

        protected override void Dispose(bool disposing)
        {
            if (disposing && _kept is { } kept)
            {
                _kept = null;
                _lender.GiveBack(kept);
            }

            base.Dispose(disposing);
        }

        /// <summary>Dapper writes lists into the text after it has set other parameters: they go along.</summary>
        private void Exchange(string text)
        {
            if (_kept?.CommandText == text) return;
            SqliteParameter[] former = [.. Parameters.Cast<SqliteParameter>()];
            if (_kept is { } kept) _lender.GiveBack(kept);
            _kept = _lender.Take(text);
            foreach (var parameter in former) _kept.Parameters.Add(parameter);
        }
    }
}
