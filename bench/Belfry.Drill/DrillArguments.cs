using System.Globalization;
using Belfry.Drill.Drills;

namespace Belfry.Drill;

/// <summary>What the command line asks for.</summary>
internal sealed record DrillArguments(IReadOnlyList<DrillPlan> Plans, DrillForm Form, string OutFolder, string? CheckFolder)
{
    /// <summary>Null: not understood.</summary>
    public static DrillArguments? Read(IReadOnlyList<string> words)
    {
        var (names, isShort, seed, rate) = (new List<string>(), true, Random.Shared.Next(1, 10_000), DrillForm.UsualEventsPerSecond);
        string? check = null;
        var folder = Path.Combine(Path.GetTempPath(), $"belfry-drills-{TimeProvider.System.GetUtcNow():yyyyMMdd-HHmmss}");
        for (var at = 0; at < words.Count; at++)
        {
            string? Value() => at + 1 < words.Count ? words[++at] : null;
            switch (words[at])
            {
                case "--short": isShort = true; break;
                case "--long": isShort = false; break;
                case "--seed" when Number(Value(), 1_000_000) is { } number: seed = number; break;
                case "--rate" when Number(Value(), 5_000) is { } number: rate = number; break;
                case "--out" when Value() is { } text: folder = Path.GetFullPath(text); break;
                case "--check" when Value() is { } text: check = Path.GetFullPath(text); break;
                case var name when !name.StartsWith('-'): names.Add(name); break;
                default: return null;
            }
        }

        var plans = names.Count == 0 || names.Contains("all") ? DrillCatalog.All
            : [.. DrillCatalog.All.Where(plan => names.Contains(plan.Name) || names.Contains($"{plan.Number}"))];
        return plans.Count > 0 && (plans.Count >= names.Count || names.Contains("all"))
            ? new DrillArguments(plans, new DrillForm(isShort, seed, rate), folder, check)
            : null;
    }

    private static int? Number(string? text, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= max ? number : null;
}
