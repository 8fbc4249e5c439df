using Belfry.Simulation.Tests.World;

namespace Belfry.Simulation.Tests.Mutants;

/// <summary>A bug to plant: in one source file, one piece of text becomes another.</summary>
/// <param name="Name">What the bug does, as a sentence.</param>
/// <param name="Project">The library it is planted in.</param>
/// <param name="File">Path inside the project.</param>
/// <param name="Find">Must stand there exactly once.</param>
/// <param name="Replace">What it becomes.</param>
internal sealed record Mutant(string Name, string Project, string File, string Find, string Replace)
{
    /// <summary>The only weather that can show it; null: any may.</summary>
    public Weather? Weather { get; init; }
}
