namespace Belfry.Tidy.Tests;

/// <summary>A rule over one source file.</summary>
/// <param name="Name">What it forbids, as a sentence.</param>
/// <param name="Applies">To which paths.</param>
/// <param name="Find">Its violations.</param>
/// <param name="Planted">Files each of which must be caught. They are data: no file of the tree holds what they hold.</param>
internal sealed record SourceRule(
    string Name, Func<string, bool> Applies, Func<SourceFile, IEnumerable<Violation>> Find, IReadOnlyList<SourceFile> Planted)
{
    public SourceRule(string name, Func<string, bool> applies, Func<SourceFile, IEnumerable<Violation>> find, string planted)
        : this(name, applies, find, [new SourceFile("src/P.cs", planted)])
    {
    }
}
