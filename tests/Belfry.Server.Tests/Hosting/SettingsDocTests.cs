using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Belfry.Cluster;
using Belfry.Kafka;
using Belfry.Postgres;
using Belfry.Redis;

namespace Belfry.Server.Tests.Hosting;

/// <summary>docs/configuration.md has each setting of the clustered shape's sections once, with the default that the code has.</summary>
public sealed partial class SettingsDocTests
{
    private static readonly (string Section, Type Options)[] Sections =
    [
        ("Topics", typeof(TopicOptions)), ("Kafka", typeof(KafkaLogOptions)), ("Postgres", typeof(PostgresOptions)),
        ("Redis", typeof(RedisOptions)),
    ];

    [Fact]
    public void Every_setting_has_one_row_and_its_default_is_the_codes() =>
        Faults(File.ReadAllText(DeployTests.PathOf("../docs/configuration.md")), [.. Sections.SelectMany(Settings)])
            .ShouldBeEmpty();

    [Fact]
    public void Planted_rows_that_are_missing_double_wrong_or_of_nothing_are_caught() => Faults(
        """
        | `A:Wait` | `00:00:08` | |
        | `A:Twice` | 1 | |
        | `A:Twice` | 1 | |
        | `A:None`, `Word` | none, `no` | |
        | `A:Gone` | 1 | |
        """,
        [
            new("A:Wait", TimeSpan.FromSeconds(5)), new("A:Twice", 1), new("A:None", null), new("A:Word", "no"), new("A:Missing", 1),
        ]).ShouldBe(
        [
            "A:Wait has the default 00:00:08, in the code 00:00:05", "A:Twice has 2 rows", "A:Missing has 0 rows", "A:Gone is no setting",
        ]);

    /// <param name="Name">With its section.</param>
    /// <param name="Default">Null and the empty are written as a word, without code marks; <see cref="Required"/> as that word.</param>
    private sealed record Setting(string Name, object? Default);

    private const string Required = "required";

    private static List<string> Faults(string text, IReadOnlyList<Setting> settings)
    {
        var rows = Row().Matches(text).SelectMany(row => RowsOf(row.Groups[1].Value, row.Groups[2].Value)).ToLookup(
            row => row.Name, row => row.Default);
        List<string> faults = [];
        foreach (var (name, value) in settings)
        {
            var written = rows[name].ToList();
            if (written.Count != 1) faults.Add($"{name} has {written.Count} rows");
            else if (!Tells(written[0], value)) faults.Add($"{name} has the default {written[0].Trim('`')}, in the code {value ?? "none"}");
        }

        var known = settings.Select(setting => setting.Name).ToHashSet();
        var sections = settings.Select(setting => setting.Name.Split(':')[0]).ToHashSet();
        faults.AddRange(rows.Select(row => row.Key).Where(name => sections.Contains(name.Split(':')[0]) && !known.Contains(name))
            .Select(name => $"{name} is no setting"));
        return faults;
    }

    /// <summary>A row of several names has a default for each, or one for all; what has no section has that of the name before.</summary>
    private static IEnumerable<(string Name, string Default)> RowsOf(string names, string defaults)
    {
        var written = defaults.Split(", ");
        var parent = "";
        foreach (var (at, match) in Code().Matches(names).Index())
        {
            var name = match.Groups[1].Value;
            if (name.Contains(':')) parent = name[..(name.LastIndexOf(':') + 1)];
            else name = parent + name;
            yield return (name, written.Length > 1 && !defaults.StartsWith("as in", StringComparison.Ordinal) ? written[at] : defaults);
        }
    }

    private static bool Tells(string written, object? value) => value switch
    {
        null => written != Required && !written.StartsWith('`') && !written.Any(char.IsAsciiDigit)
            || written.StartsWith("as in `", StringComparison.Ordinal),
        Required => written == Required,
        TimeSpan length => TimeSpan.TryParse(written.Trim('`'), CultureInfo.InvariantCulture, out var told) && told == length,
        string text => written == $"`{text}`",
        _ => written.Trim('`').Equals(Convert.ToString(value, CultureInfo.InvariantCulture), StringComparison.OrdinalIgnoreCase),
    };

    private static IEnumerable<Setting> Settings((string Section, Type Options) of)
    {
        var defaults = Activator.CreateInstance(of.Options)!;
        foreach (var property in of.Options.GetProperties().Where(property => property.SetMethod is { IsPublic: true }))
        {
            var name = $"{of.Section}:{property.Name}";
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (property.GetCustomAttribute<RequiredMemberAttribute>() is not null) yield return new(name, Required);
            else if (type.IsValueType || type == typeof(string) || type == typeof(IReadOnlyList<string>))
                yield return new(name, property.GetValue(defaults) is "" or ICollection { Count: 0 } ? null : property.GetValue(defaults));
            else if (type.Namespace == of.Options.Namespace)
                foreach (var nested in Settings((name, type))) yield return nested;
        }
    }

    [GeneratedRegex(@"^\| (`\w+(?::\w+)+`[^|]*?) +\| ?([^|]*?) ?\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
