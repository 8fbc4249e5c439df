using Belfry.Alerting.Storage;

namespace Belfry.Alerting.Tests.Storage;

public class SqlDialectTests
{
    public static TheoryData<string> Names => ["SQLite", "PostgreSQL"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_word_of_the_schema_scripts_is_known(string name)
    {
        var dialect = DialectOf(name);
        foreach (var step in Pipeline.SchemaSteps) dialect.Spell(step.Sql).ShouldNotContain("{", customMessage: step.Module);
    }

    [Fact]
    public void A_list_of_ids_is_one_parameter_of_json()
    {
        var id = EventId.Of(new Guid("0123456789abcdef0123456789abcdef"));
        SqlDialect.JsonOf([id, id]).ShouldBe("""["0123456789abcdef0123456789abcdef","0123456789abcdef0123456789abcdef"]""");
        SqlDialect.JsonOf<EventId>([]).ShouldBe("[]");
        DialectOf("SQLite").In("@ids").ShouldBe("in (select value from json_each(@ids))");
        DialectOf("PostgreSQL").In("@ids").ShouldBe("in (select json_array_elements_text(@ids::json))");
    }

    private static SqlDialect DialectOf(string name) => name == "SQLite" ? SqlDialect.Sqlite : SqlDialect.Postgres;
}
