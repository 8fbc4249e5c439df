using System.Data.Common;
using Belfry.Log;
using Belfry.Outbox;
using Npgsql;

namespace Belfry.Postgres;

/// <summary>A transaction that a caller's work runs in.</summary>
internal sealed class PostgresOutboxTransaction : OutboxTransaction
{
    private NpgsqlConnection? _connection;

    private PostgresOutboxTransaction(NpgsqlConnection connection) => _connection = connection;

    public override DbConnection Connection => Open();

    public static async ValueTask<T> RunAsync<T>(NpgsqlConnection connection, Func<OutboxTransaction, ValueTask<T>> work)
    {
        var transaction = new PostgresOutboxTransaction(connection);
        try
        {
            return await work(transaction);
        }
        finally
        {
            transaction._connection = null;
        }
    }

    /// <summary>Blocks, as the rest of a work does: what follows stays on the work's thread.</summary>
    public override ValueTask AddAsync(string lane, IReadOnlyList<OutgoingRecord> records)
    {
        var connection = Open();
        if (records.Count == 0) return ValueTask.CompletedTask;
        using var command = OutboxTables.Add(connection, lane, records);
        command.ExecuteNonQuery();
        return ValueTask.CompletedTask;
    }

    private NpgsqlConnection Open() =>
        _connection ?? throw new InvalidOperationException("The transaction has ended; it is valid only inside the work that got it.");
}
