using System.Data.Common;
using Belfry.Log;
using Belfry.Outbox;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite;

/// <summary>A transaction that a caller's work runs in, to its end on the thread that began it.</summary>
internal sealed class SqliteOutboxTransaction : OutboxTransaction
{
    private SqliteConnection? _connection;

    private SqliteOutboxTransaction(SqliteConnection connection) => _connection = connection;

    public override DbConnection Connection => Open();

    /// <exception cref="InvalidOperationException">The work awaited something that was not complete.</exception>
    public static T Run<T>(SqliteConnection connection, Func<OutboxTransaction, ValueTask<T>> work)
    {
        var transaction = new SqliteOutboxTransaction(connection);
        try
        {
            return Completed(work(transaction));
        }
        finally
        {
            transaction._connection = null;
        }
    }

    /// <summary>The value of a task that never left the calling thread.</summary>
    public static T Completed<T>(ValueTask<T> task)
    {
        if (!task.IsCompleted)
            throw new InvalidOperationException(
                "The work awaited something that was not complete. On SQLite it runs on the thread of its connection and must complete " +
                "synchronously: await nothing but the transaction and its commands.");

        // Complete already: this takes the value, or throws what the work threw.
        return task.GetAwaiter().GetResult();
    }

    public override ValueTask AddAsync(string lane, IReadOnlyList<OutgoingRecord> records)
    {
        OutboxTables.Add(Open(), lane, records);
        return ValueTask.CompletedTask;
    }

    private SqliteConnection Open() =>
        _connection ?? throw new InvalidOperationException("The transaction has ended; it is valid only inside the work that got it.");
}
