using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Dapper;

namespace Belfry.Alerting.Catalog;

/// <summary>
/// A table whose rows are JSON documents beside the few columns that are searched by: <c>id</c>, <c>document</c> and
/// <paramref name="columns"/>. Table and column names are constants of the code.
/// </summary>
internal sealed class DocumentTable<T>(string table, JsonTypeInfo<T> json, string orderBy, params string[] columns) where T : class
{
    /// <summary>Longest page of a list.</summary>
    public const int LimitMax = 10_000;

    private readonly string _upsert =
        $"insert into {table} (id, {string.Join(", ", columns)}, document) " +
        $"values (@id, {string.Join(", ", columns.Select(c => "@" + c))}, @document) " +
        $"on conflict (id) do update set {string.Join(", ", columns.Append("document").Select(c => $"{c} = excluded.{c}"))}";

    /// <param name="connection">Inside a transaction.</param>
    /// <param name="id">The row's key.</param>
    /// <param name="document">The whole object.</param>
    /// <param name="values">In the order of the columns.</param>
    public void Save(DbConnection connection, string id, T document, params object[] values)
    {
        var parameters = new DynamicParameters();
        parameters.Add("id", id);
        parameters.Add("document", Text(document));
        for (var i = 0; i < columns.Length; i++) parameters.Add(columns[i], values[i]);
        connection.Execute(_upsert, parameters);
    }

    public string Text(T document) => JsonSerializer.Serialize(document, json);

    public T? Find(DbConnection connection, string id) => FirstWhere(connection, "id", id);

    public T? FirstWhere(DbConnection connection, string column, object value) =>
        Read(connection.QueryFirstOrDefault<string>($"select document from {table} where {column} = @value", new { value }));

    public IReadOnlyList<T> AllWhere(DbConnection connection, string column, object value) =>
        [
            .. connection.Query<string>($"select document from {table} where {column} = @value order by {orderBy}", new { value })
                .Select(text => Read(text)!),
        ];

    public IReadOnlyList<T> All(DbConnection connection) =>
        [.. connection.Query<string>($"select document from {table} order by {orderBy}").Select(text => Read(text)!)];

    /// <exception cref="ArgumentOutOfRangeException">A negative offset, or a limit outside 1 to <see cref="LimitMax"/>.</exception>
    public Page<T> Page(DbConnection connection, int offset, int limit, string? column = null, object? value = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, LimitMax);
        var where = column is null ? "" : $" where {column} = @value";
        var total = connection.ExecuteScalar<long>($"select count(*) from {table}{where}", new { value });
        var rows = connection.Query<string>(
            $"select document from {table}{where} order by {orderBy} limit @limit offset @offset", new { value, limit, offset });
        return new Page<T>([.. rows.Select(text => Read(text)!)], total);
    }

    public void Delete(DbConnection connection, string id) => DeleteWhere(connection, "id", id);

    public void DeleteWhere(DbConnection connection, string column, object value) =>
        connection.Execute($"delete from {table} where {column} = @value", new { value });

    private T? Read(string? text) => text is null ? null : JsonSerializer.Deserialize(text, json);
}
