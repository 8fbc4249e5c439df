using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Belfry.Tidy.Tests;

/// <summary>The house rules that can be read off one source file (house style, section 7).</summary>
internal static partial class SourceRules
{
    private const int ColumnsMax = 140;
    private const int LinesMax = 400;

    private static readonly HashSet<string> BannedTypeNames =
        ["Task", "TaskScheduler", "Event", "Timer", "Environment", "Log", "Outbox", "Timeline"];
    private static readonly string[] BannedSuffixes = ["Manager", "Helper", "Helpers", "Util", "Utils", "Common", "Base", "Impl"];

    public static IReadOnlyList<SourceRule> All { get; } =
    [
        new("A line has at most 140 columns", Anywhere, WideLines,
            [.. Everywhere.Select(folder => new SourceFile($"{folder}/P.cs", "// " + new string('x', ColumnsMax - 2)))]),
        new("A source file stays within 400 lines", Anywhere, LongFile,
            [.. Everywhere.Select(folder => new SourceFile($"{folder}/P.cs", new string('\n', LinesMax + 1)))]),

        new("Unfinished work names its issue", Anywhere, Matches(Unfinished(), "unfinished"),
            [.. Everywhere.Select(folder => new SourceFile($"{folder}/P.cs", "// TO" + "DO: later"))]),
        new("No #region", Anywhere, Matches(Region(), "region"), "#reg" + "ion x\n#endreg" + "ion"),
        new("No empty documentation tag", Anywhere, Matches(EmptyTag(), "empty tag"), "/// <summary></" + "summary>\nclass C;"),
        new("SQL takes its time as a parameter", InSource, Matches(SqlNow(), "clock of the database"),
            "class C { string s = \"select now" + "()\"; }"),

        new("Type names are the field's, and none hides one of the platform's", InSource, TypeNames, "class RelayManager;"),
        new("No async void", Anywhere, AsyncVoid, "class C { async void M() { } }"),
        new("A failure is not swallowed", InSource, EmptyCatch, "class C { void M() { try { } catch { } } }"),
        new("No blocking wait on a task", InSource, Blocking,
            "class C { int M(System.Threading.Tasks.Task<int> t) => t.GetAwaiter().GetResult(); }"),
        new("Only the producer registry makes a Kafka producer",
            path => InSource(path) && !path.EndsWith("/ProducerRegistry.cs", StringComparison.Ordinal),
            Matches(Producer(), "a producer of its own"), "class C { object o = new Producer" + "Builder<int, int>(null); }"),
        WaitRule.Rule,
    ];

    private static string[] Everywhere => ["src", "tests", "bench", "samples"];
    private static bool Anywhere(string path) => true;
    private static bool InSource(string path) => path.StartsWith("src/", StringComparison.Ordinal);

    private static IEnumerable<Violation> WideLines(SourceFile file) =>
        file.Lines.Select((line, i) => new Violation(file.Path, i + 1, $"{line.TrimEnd('\r').Length} columns"))
            .Where(found => file.Lines[found.Line - 1].TrimEnd('\r').Length > ColumnsMax);

    // What follows the last line break is no line.
    private static IEnumerable<Violation> LongFile(SourceFile file) => file.Lines.Length - 1 > LinesMax
        ? [new Violation(file.Path, LinesMax + 1, $"{file.Lines.Length - 1} lines: which second idea moved in?")] : [];

    private static Func<SourceFile, IEnumerable<Violation>> Matches(Regex pattern, string what) => file =>
        file.Lines.Select((line, i) => (line, i)).Where(x => pattern.IsMatch(x.line)).Select(x => new Violation(file.Path, x.i + 1, what));

    private static IEnumerable<Violation> TypeNames(SourceFile file) =>
        file.Nodes<BaseTypeDeclarationSyntax>()
            .Where(type => BannedTypeNames.Contains(type.Identifier.Text) || BannedSuffixes.Any(
                suffix => type.Identifier.Text.EndsWith(suffix, StringComparison.Ordinal) && type.Identifier.Text != suffix))
            .Select(type => file.At(type, $"type name '{type.Identifier.Text}'"));

    private static IEnumerable<Violation> AsyncVoid(SourceFile file) =>
        file.Nodes<MethodDeclarationSyntax>()
            .Where(method => method.Modifiers.Any(SyntaxKind.AsyncKeyword) && method.ReturnType.ToString() == "void")
            .Select(method => file.At(method, $"async void {method.Identifier.Text}"));

    private static IEnumerable<Violation> EmptyCatch(SourceFile file) =>
        file.Nodes<CatchClauseSyntax>()
            .Where(clause => clause.Block.Statements.Count == 0 && clause.Filter is null
                && (clause.Declaration is null || clause.Declaration.Type.ToString() is "Exception" or "System.Exception")
                && !clause.Block.DescendantTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia)))
            .Select(clause => file.At(clause, "empty catch of everything"));

    // It holds a thread; drivers that must do so (a poll thread, a synchronous interface) say why beside it.
    private static IEnumerable<Violation> Blocking(SourceFile file) =>
        file.Nodes<InvocationExpressionSyntax>()
            .Where(call => call.Expression is MemberAccessExpressionSyntax { Name.Identifier.Text: "GetResult" } member
                && member.Expression is InvocationExpressionSyntax
                {
                    Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "GetAwaiter" },
                }
                && !call.Ancestors().OfType<StatementSyntax>().Take(1).Any(HasComment))
            .Select(call => file.At(call, "GetAwaiter().GetResult() without a reason beside it"));

    private static bool HasComment(SyntaxNode node) =>
        node.GetLeadingTrivia().Any(trivia => trivia.IsKind(SyntaxKind.SingleLineCommentTrivia));

    // Written so that the pattern does not match itself.
    [GeneratedRegex(@"\b(T[O]DO|F[I]XME|H[A]CK)\b(?!\s*\(#\d+\))")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"^\s*#region\b")]
    private static partial Regex Region();

    [GeneratedRegex(@"///\s*<(summary|param|returns|remarks)[^>]*>\s*</\1>")]
    private static partial Regex EmptyTag();

    [GeneratedRegex(@"\b(now\(\)|current_timestamp|datetime\('now'\)|strftime\()", RegexOptions.IgnoreCase)]
    private static partial Regex SqlNow();

    [GeneratedRegex(@"new\s+ProducerBuilder\b")]
    private static partial Regex Producer();
}
