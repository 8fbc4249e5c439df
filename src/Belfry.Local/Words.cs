using System.Globalization;

namespace Belfry.Local;

/// <summary>Options of a command line: <c>--name value</c> or <c>--name=value</c>; what is not ours is kept, in order.</summary>
internal sealed class Words
{
    private readonly Dictionary<string, string> _given = new(StringComparer.Ordinal);
    private readonly List<string> _rest = [];

    /// <param name="words">As they were given.</param>
    /// <param name="options">Ours, each with a value.</param>
    public Words(IReadOnlyList<string> words, params string[] options)
    {
        for (var at = 0; at < words.Count; at++)
        {
            var (name, value) = words[at].Split('=', 2) is [var left, var right] ? (left, right) : (words[at], null);
            if (!options.Contains(name)) _rest.Add(words[at]);
            else if (value is not null) _given[name] = value;
            else if (at + 1 < words.Count) _given[name] = words[++at];
            else Faults.Add($"{name} needs a value.");
        }
    }

    public List<string> Faults { get; } = [];

    /// <summary>What is not ours.</summary>
    public IReadOnlyList<string> Rest => _rest;

    public string? this[string name] => _given.GetValueOrDefault(name);

    /// <summary>Null: not given, or a fault.</summary>
    public int? Number(string name, int min, int max)
    {
        if (this[name] is not { } text) return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        Faults.Add($"{name} is '{text}', {min} to {max} is needed.");
        return null;
    }

    /// <summary>1 or 3: as many as Kafka needs to run, or to survive the death of one.</summary>
    public int? Brokers()
    {
        if (Number("--brokers", 1, 3) is not 2) return Number("--brokers", 1, 3);
        Faults.Add("--brokers is '2', 1 or 3 is needed.");
        return null;
    }

    /// <exception cref="UsageException">There are faults.</exception>
    public void ThrowOnFaults()
    {
        if (Faults.Count > 0) throw new UsageException(string.Join('\n', Faults.Distinct()));
    }
}
