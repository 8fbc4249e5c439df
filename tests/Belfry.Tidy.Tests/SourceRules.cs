using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Belfry.Tidy.Tests;

/// <summary>A rule over one source file.</summary>
/// <param name="Name">What it forbids, as a sentence.</param>
/// <param name="Applies">To which paths.</param>
/// <param name="Find">Its violations.</param>
/// <param name="Planted">A snippet that must be caught, and the path it is planted at.</param>
internal sealed record SourceRule(string Name, Func<string, bool> Applies, Func<SourceFile, IEnumerable<Violation>> Find, SourceFile Planted);

internal static partial class SourceRules
{
    private static readonly HashSet<string> BannedTypeNames = ["Task", "TaskScheduler", "Event", "Timer", "Environment", "Log", "Outbox", "Timeline"];
    private static readonly string[] BannedSuffixes = ["Manager", "Helper", "Helpers", "Util", "Utils", "Common", "Base", "Impl"];

    public static IReadOnlyList<SourceRule> All { get; } =
    [
        new("A line has at most 140 columns", InSource, file => file.Lines.Select((line, i) => (line, i)).Where(x => x.line.TrimEnd('\r').Length > 140)
            .Select(x => new Violation(file.Path, x.i + 1, $"{x.line.Length} columns")), new("src/P.cs", "// " + new string('x', 140))),

        new("A source file stays within 400 lines", InSource, file => file.Lines.Length > 401
            ? [new Violation(file.Path, 401, $"{file.Lines.Length - 1} lines: which second idea moved in?")] : [],
            new("src/P.cs", new string('\n', 402))),

        new("A TODO names an issue", path => !path.EndsWith("/SourceRules.cs", StringComparison.Ordinal), Matches(Todo(), "unfinished"), new("src/P.cs", "// TO" + "DO: later")),
        new("No #region", Any, Matches(Region(), "region"), new("src/P.cs", "#reg" + "ion x\n#endreg" + "ion")),
        new("No empty documentation tag", Any, Matches(EmptyTag(), "empty tag"), new("src/P.cs", "/// <summary></" + "summary>\nclass C;")),
        new("SQL takes its time as a parameter", InSource, Matches(SqlNow(), "clock of the database"),
            new("src/P.cs", "class C { string s = \"select now" + "()\"; }")),

        new("Type names are the field's, and none hides one of the platform's", InSource, TypeNames,
            new("src/P.cs", "class RelayManager;")),
        new("No async void", Any, AsyncVoid, new("src/P.cs", "class C { async void M() { } }")),
        new("A failure is not swallowed", InSource, EmptyCatch, new("src/P.cs", "class C { void M() { try { } catch { } } }")),
        new("No blocking wait on a task", InSource, Blocking, new("src/P.cs", "class C { int M(System.Threading.Tasks.Task<int> t) => t.GetAwaiter().GetResult(); }")),
        new("Only the producer registry makes a Kafka producer", path => InSource(path) && !path.EndsWith("/ProducerRegistry.cs", StringComparison.Ordinal),
            Matches(Producer(), "ProducerBuilder"), new("src/P.cs", "class C { object o = new Producer" + "Builder<int, int>(null); }")),
        new("Tests do not wait by the clock", path => path.StartsWith("tests/", StringComparison.Ordinal) && !path.Contains("EndToEnd", StringComparison.Ordinal) && !path.Contains("Tidy", StringComparison.Ordinal),
            Matches(Sleep(), "sleep"), new("tests/P.cs", "class C { void M() => System.Threading.Thread.Sl" + "eep(1); }")),
    ];

    private static bool Any(string path) => true;
    private static bool InSource(string path) => path.StartsWith("src/", StringComparison.Ordinal);

    private static Func<SourceFile, IEnumerable<Violation>> Matches(Regex pattern, string what) => file =>
        file.Lines.Select((line, i) => (line, i)).Where(x => pattern.IsMatch(x.line)).Select(x => new Violation(file.Path, x.i + 1, what));

    private static IEnumerable<Violation> TypeNames(SourceFile file) =>
        Nodes<BaseTypeDeclarationSyntax>(file)
            .Where(type => BannedTypeNames.Contains(type.Identifier.Text)
                || BannedSuffixes.Any(suffix => type.Identifier.Text.EndsWith(suffix, StringComparison.Ordinal) && type.Identifier.Text != suffix))
            .Select(type => At(file, type, $"type name '{type.Identifier.Text}'"));

    private static IEnumerable<Violation> AsyncVoid(SourceFile file) =>
        Nodes<MethodDeclarationSyntax>(file)
            .Where(method => method.Modifiers.Any(SyntaxKind.AsyncKeyword) && method.ReturnType.ToString() == "void")
            .Select(method => At(file, method, $"async void {method.Identifier.Text}"));

    private static IEnumerable<Violation> EmptyCatch(SourceFile file) =>
        Nodes<CatchClauseSyntax>(file)
            .Where(clause => clause.Block.Statements.Count == 0 && clause.Filter is null
                && (clause.Declaration is null || clause.Declaration.Type.ToString() is "Exception" or "System.Exception")
                && !clause.Block.DescendantTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia)))
            .Select(clause => At(file, clause, "empty catch of everything"));

    // GetAwaiter().GetResult() and .Wait() hold a thread; drivers that must do so (a poll thread, a synchronous interface) say why beside it.
    private static IEnumerable<Violation> Blocking(SourceFile file) =>
        Nodes<InvocationExpressionSyntax>(file)
            .Where(call => call.Expression is MemberAccessExpressionSyntax { Name.Identifier.Text: "GetResult" } member
                && member.Expression is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "GetAwaiter" } }
                && !call.Ancestors().OfType<StatementSyntax>().Take(1).Any(HasComment))
            .Select(call => At(file, call, "GetAwaiter().GetResult() without a reason beside it"));

    private static bool HasComment(SyntaxNode node) =>
        node.GetLeadingTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia));

    private static IEnumerable<T> Nodes<T>(SourceFile file) where T : SyntaxNode =>
        CSharpSyntaxTree.ParseText(file.Text).GetRoot().DescendantNodes().OfType<T>();

    private static Violation At(SourceFile file, SyntaxNode node, string what) =>
        new(file.Path, node.GetLocation().GetLineSpan().StartLinePosition.Line + 1, what);

    [GeneratedRegex(@"\b(TODO|FIXME|HACK)\b(?!\s*\(#\d+\))")]
    private static partial Regex Todo();

    [GeneratedRegex(@"^\s*#region\b")]
    private static partial Regex Region();

    [GeneratedRegex(@"///\s*<(summary|param|returns|remarks)[^>]*>\s*</\1>")]
    private static partial Regex EmptyTag();

    [GeneratedRegex(@"\b(now\(\)|current_timestamp|datetime\('now'\)|strftime\()", RegexOptions.IgnoreCase)]
    private static partial Regex SqlNow();

    [GeneratedRegex(@"new\s+ProducerBuilder\b")]
    private static partial Regex Producer();

    [GeneratedRegex(@"Thread\.Sleep\(|Task\.Delay\(\d")]
    private static partial Regex Sleep();
}
