using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Belfry.Tidy.Tests;

/// <summary>
/// Waits go by a <see cref="TimeProvider"/>, so that tests and the simulator can move time. It sees every mention of <c>Task.Delay</c> and
/// <c>Thread.Sleep</c>, called or handed on, under any alias; what it cannot tell to be a wait by a provider it takes for none. Endless
/// delays that only a token ends are no waits by the clock.
/// </summary>
internal static class WaitRule
{
    // Where there is no time to move: what the files speak to are processes of their own.
    private static readonly HashSet<string> ByTheRealClock =
    [
        "tests/Belfry.EndToEnd.Tests/KillTests.cs",
        "tests/Belfry.EndToEnd.Tests/Support/EventLoad.cs",
        "tests/Belfry.EndToEnd.Tests/Support/Eventually.cs",
        "tests/Belfry.Redis.Tests/Support/Eventually.cs",
        "tests/Belfry.Postgres.Tests/Support/PostgresServer.cs",
        "tests/Belfry.Tidy.Tests/PlantedCalls.cs",
    ];

    private static readonly string[] Places =
        ["src/P.cs", "tests/P.cs", "tests/Belfry.Tidy.Tests/P.cs", "tests/Belfry.EndToEnd.Tests/P.cs"];

    private static readonly string[] Broken =
    [
        "class C { void M() => System.Threading.Thread.Sleep(1); }",
        "class C { void M(int pause) => Thread.Sleep(pause); }",
        "class C { Task M() => Task.Delay(1); }",
        "class C { Task M(TimeSpan pause) => Task.Delay(pause); }",
        "class C { Task M() => Task.Delay(TimeSpan.FromSeconds(1)); }",
        "class C { Task M(Random random, CancellationToken cancel) => Task.Delay(random.Next(9), cancel); }",
        "class C { Task M(CancellationToken cancel) =>\n    Task\n        .Delay(\n            50,\n            cancel); }",
        "class C { Task M() => System.Threading.Tasks.Task.Delay(delay: TimeSpan.Zero, cancellationToken: default); }",
        "class C { Task M() => Task.Delay(TimeSpan.Zero, TimeProvider.System); }",
        "class C { Task M(CancellationToken cancel) => Task.Delay(TimeSpan.Zero, TimeProvider.System, cancel); }",
        "class C { Func<int, Task> Wait = Task.Delay; }",
        "using static System.Threading.Tasks.Task; class C { object M() => Delay(1); }",
        "using Nap = System.Threading.Thread; class C { void M() => Nap.Sleep(1); }",
    ];

    private static readonly string[] Sound =
    [
        "class C { Task M(TimeSpan pause, TimeProvider time) => Task.Delay(pause, time); }",
        "class C { Task M(Node node, CancellationToken cancel) => Task.Delay(TimeSpan.FromSeconds(1), node.Time, cancel); }",
        "class C { Task M(CancellationToken cancel) => Task.Delay(Timeout.InfiniteTimeSpan, cancel); }",
        "class C { Task M(CancellationToken cancel) => Task.Delay(Timeout.Infinite, cancel); }",
        "class C { string s = \"Task.Delay(1)\"; /* Thread.Sleep(1) */ object M(Answer answer) => answer.Delay; }",
    ];

    public static SourceRule Rule { get; } = new("Nothing waits by the real clock", Applies, Find,
        [.. Broken.SelectMany(text => Places.Select(place => new SourceFile(place, text)))]);

    /// <summary>What the rule must let pass.</summary>
    public static TheoryData<string> Allowed => [.. Sound];

    /// <summary>Files named above, so that one that is gone or has been mended does not stay on the list.</summary>
    public static TheoryData<string> Exempt => [.. ByTheRealClock];

    private static bool Applies(string path) =>
        (path.StartsWith("src/", StringComparison.Ordinal) || path.StartsWith("tests/", StringComparison.Ordinal))
        && !ByTheRealClock.Contains(path);

    public static IEnumerable<Violation> Find(SourceFile file)
    {
        var (tasks, threads) = (Names(file, "Task"), Names(file, "Thread"));
        foreach (var import in file.Nodes<UsingDirectiveSyntax>())
            if (import.StaticKeyword != default && Last(import.NamespaceOrType) is "Task" or "Thread")
                yield return file.At(import, "a static import hides what waits");
        foreach (var member in file.Nodes<MemberAccessExpressionSyntax>())
        {
            var (type, name) = (Last(member.Expression), member.Name.Identifier.Text);
            if (name == "Sleep" && threads.Contains(type)) yield return file.At(member, "a sleep");
            if (name == "Delay" && tasks.Contains(type) && !GoesByProvider(member))
                yield return file.At(member, "a delay without TimeProvider");
        }
    }

    private static bool GoesByProvider(MemberAccessExpressionSyntax delay)
    {
        if (delay.Parent is not InvocationExpressionSyntax { ArgumentList.Arguments: var arguments }) return false;
        if (Last(arguments[0].Expression) is "Infinite" or "InfiniteTimeSpan") return true;
        return arguments.Count > 1 && arguments[1].Expression.ToString() != "TimeProvider.System"
            && Last(arguments[1].Expression).TrimStart('_').EndsWith("time", StringComparison.OrdinalIgnoreCase);
    }

    private static HashSet<string> Names(SourceFile file, string type) =>
        [type, .. file.Nodes<UsingDirectiveSyntax>().Where(import => import.Alias is not null && Last(import.NamespaceOrType) == type)
            .Select(import => import.Alias!.Name.Identifier.Text)];

    private static string Last(SyntaxNode node) => node switch
    {
        MemberAccessExpressionSyntax member => member.Name.Identifier.Text,
        QualifiedNameSyntax qualified => qualified.Right.Identifier.Text,
        SimpleNameSyntax simple => simple.Identifier.Text,
        _ => "",
    };
}
