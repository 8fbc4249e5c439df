using System.Diagnostics;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Belfry.Tidy.Tests;

/// <summary>The checked-out tree that the rules look at.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>Paths relative to the root, with '/', of what is tracked or could be (untracked and not ignored).</summary>
    public static IReadOnlyList<string> Files { get; } = ListFiles();

    public static IEnumerable<SourceFile> Sources() =>
        Files.Where(path => path.EndsWith(".cs", StringComparison.Ordinal)).Select(Read);

    public static SourceFile Read(string path) => new(path, File.ReadAllText(Path.Combine(Root, path)));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Belfry.slnx"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("No Belfry.slnx above " + AppContext.BaseDirectory);
    }

    private static IReadOnlyList<string> ListFiles()
    {
        var start = new ProcessStartInfo("git", "ls-files --cached --others --exclude-standard")
        { WorkingDirectory = Root, RedirectStandardOutput = true };
        using var git = Process.Start(start)!;
        var paths = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return [.. paths.Where(path => File.Exists(Path.Combine(Root, path))).Distinct().Order(StringComparer.Ordinal)];
    }
}

/// <summary>A file as a rule sees it.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    public string[] Lines { get; } = Text.Split('\n');

    public IEnumerable<T> Nodes<T>() where T : SyntaxNode => CSharpSyntaxTree.ParseText(Text).GetRoot().DescendantNodes().OfType<T>();

    public Violation At(SyntaxNode node, string what) => new(Path, node.GetLocation().GetLineSpan().StartLinePosition.Line + 1, what);
}

/// <summary>Where a rule is broken, and how.</summary>
internal sealed record Violation(string Path, int Line, string What)
{
    public override string ToString() => $"{Path}:{Line}: {What}";
}
