using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Bench;

/// <summary>One measured figure; one JSON line on the console. The ratio says how many times the rival's value ours is.</summary>
internal sealed record Figure(string Name, double Value, string Unit, string? Rival = null, double? RivalValue = null, double? Ratio = null)
{
    public static void Print(string name, double value, string unit, (string Name, double Value)? rival = null) =>
        Print(name, value, unit, rival, 1);

    /// <summary>For what lies below one, such as a cost for each of many.</summary>
    public static void PrintSmall(string name, double value, string unit) => Print(name, value, unit, null, 5);

    private static void Print(string name, double value, string unit, (string Name, double Value)? rival, int digits)
    {
        var figure = new Figure(
            name, Math.Round(value, digits), unit, rival?.Name, rival is { } other ? Math.Round(other.Value, 1) : null,
            rival is { } of ? Math.Round(value / of.Value, 3) : null);
        Console.WriteLine(JsonSerializer.Serialize(figure, FigureJson.Default.Figure));
    }

    /// <summary>The nearest-rank percentile; sorts in place. NaN for none.</summary>
    /// <param name="values">In any order.</param>
    /// <param name="percent">Above 0, up to 100.</param>
    public static double Percentile(List<double> values, double percent)
    {
        if (values.Count == 0) return double.NaN;
        values.Sort();
        return values[Math.Max(0, (int)Math.Ceiling(values.Count * percent / 100) - 1)];
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(Figure))]
internal sealed partial class FigureJson : JsonSerializerContext;
