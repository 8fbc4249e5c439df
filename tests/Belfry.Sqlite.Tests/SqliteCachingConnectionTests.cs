using Dapper;
using Microsoft.Data.Sqlite;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteCachingConnectionTests : IDisposable
{
    private readonly SqliteCachingConnection _connection = new("Data Source=:memory:;Pooling=False");

    public SqliteCachingConnectionTests()
    {
        _connection.Open();
        _connection.Execute("create table t (id integer primary key, name text)");
    }

    public void Dispose() => _connection.Dispose();

    [Fact]
    public void A_text_is_prepared_once_and_runs_with_other_values()
    {
        for (var id = 1; id <= 5; id++) _connection.Execute("insert into t (id, name) values (@id, @name)", new { id, name = $"n{id}" });
        var idle = _connection.Idle;
        for (var id = 1; id <= 5; id++)
            _connection.QuerySingle<string>("select name from t where id = @id", new { id }).ShouldBe($"n{id}");
        _connection.Idle.ShouldBe(idle + 1);
    }

    [Fact]
    public void Parameters_set_before_a_list_is_written_into_the_text_are_kept()
    {
        for (var id = 1; id <= 5; id++) _connection.Execute("insert into t (id, name) values (@id, 'a')", new { id });
        foreach (var length in (int[])[1, 3, 0, 2])
            _connection.Query<long>(
                "select id from t where name = @name and id in @ids order by id", new { name = "a", ids = Enumerable.Range(1, length) })
                .Count().ShouldBe(length);
    }

    [Fact]
    public void A_statement_in_use_is_not_lent_twice()
    {
        for (var id = 1; id <= 3; id++) _connection.Execute("insert into t (id, name) values (@id, 'a')", new { id });
        List<long> seen = [];
        foreach (var id in _connection.Query<long>("select id from t order by id", buffered: false))
            seen.Add(_connection.Query<long>("select id from t order by id").Sum() + id);
        seen.ShouldBe([7, 8, 9]);
    }

    [Fact]
    public void A_statement_that_failed_or_was_left_half_read_runs_again()
    {
        _connection.Execute("insert into t (id) values (1), (2)");
        for (var i = 0; i < 2; i++)
        {
            Should.Throw<SqliteException>(() => _connection.Execute("insert into t (id) values (@id)", new { id = 1 }));
            _connection.QueryFirst<long>("select id from t order by id").ShouldBe(1);
        }

        _connection.Execute("insert into t (id) values (@id)", new { id = 3 });
        _connection.Execute("delete from t").ShouldBe(3);
    }

    [Fact]
    public void Values_of_all_kinds_are_stored_as_any_command_stores_them()
    {
        object?[] values = [null, "", "a\0é😀", 7, -7L, true, 1.5, new byte[] { 1, 0 }, Array.Empty<byte>(), DateTimeOffset.UnixEpoch];
        using var plain = new SqliteConnection("Data Source=:memory:;Pooling=False");
        plain.Open();
        foreach (var connection in (SqliteConnection[])[plain, _connection])
        {
            connection.Execute("create table v (id integer primary key, value)");
            for (var id = 0; id < values.Length; id++)
                connection.Execute("insert into v (value, id) values (@value, @id)", new { id, value = values[id] }).ShouldBe(1);
        }

        List<string> Stored(SqliteConnection connection) =>
            [.. connection.Query<string>("select typeof(value) || ' ' || coalesce(hex(value), '') from v order by id")];
        Stored(_connection).ShouldBe(Stored(plain));
    }

    [Fact]
    public void Changes_are_counted_and_parameters_are_found_by_name_in_any_order()
    {
        using var command = _connection.CreateCommand();
        command.CommandText = "insert into t (id, name) values (@id, @name) on conflict (id) do nothing";
        foreach (var order in (string[][])[["id", "name"], ["@name", "@id"]])
        {
            command.Parameters.Clear();
            foreach (var name in order) command.Parameters.AddWithValue(name, name.EndsWith('d') ? 1 : "one");
            command.ExecuteNonQuery().ShouldBe(order[0] == "id" ? 1 : 0);
        }

        command.Parameters.RemoveAt(0);
        Should.Throw<InvalidOperationException>(() => command.ExecuteNonQuery()).Message.ShouldContain("@name");
        _connection.Execute("update t set name = 'x' where id = 2").ShouldBe(0);
        _connection.Execute("insert into t (id) values (5); insert into t (id) values (6)").ShouldBe(2);
        _connection.Execute("delete from t").ShouldBe(3);
    }

    [Fact]
    public void A_changed_schema_is_seen()
    {
        _connection.Execute("insert into t (id, name) values (1, 'a')");
        _connection.Query("select * from t");
        _connection.Execute("alter table t add column more text default 'b'");
        ((IDictionary<string, object>)_connection.QuerySingle("select * from t")).Keys.ShouldBe(["id", "name", "more"]);
    }

    [Fact]
    public void No_more_are_kept_than_the_bound()
    {
        for (var n = 0; n < SqliteCachingConnection.IdleMax + 10; n++) _connection.ExecuteScalar<long>($"select {n}").ShouldBe(n);
        _connection.Idle.ShouldBeLessThanOrEqualTo(SqliteCachingConnection.IdleMax);
        _connection.Close();
        _connection.Idle.ShouldBe(0);
    }
}
