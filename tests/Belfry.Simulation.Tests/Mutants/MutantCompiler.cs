using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace Belfry.Simulation.Tests.Mutants;

/// <summary>Compiles a library again with one mutant in it, in memory.</summary>
internal static class MutantCompiler
{
    private static readonly CSharpParseOptions Parse = new(LanguageVersion.Preview);

    /// <exception cref="InvalidOperationException">The text is not there exactly once, or the result does not compile.</exception>
    public static byte[] Compile(Mutant mutant)
    {
        var folder = Path.Combine(Root, "src", mutant.Project);
        var sources = Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Concat(Directory.GetFiles(GeneratedFolder(mutant.Project), "*.cs", SearchOption.AllDirectories));
        var planted = false;
        var trees = new List<SyntaxTree> { Tree(ImplicitUsings, "usings.cs") };
        foreach (var path in sources)
        {
            var text = File.ReadAllText(path);
            if (Path.GetRelativePath(folder, path).Replace('\\', '/') == mutant.File)
            {
                var count = text.Split(mutant.Find).Length - 1;
                if (count != 1)
                    throw new InvalidOperationException(
                        $"'{mutant.Name}': the text stands {count} times in {mutant.File}, not once: {mutant.Find}");
                text = text.Replace(mutant.Find, mutant.Replace, StringComparison.Ordinal);
                planted = true;
            }

            trees.Add(Tree(text, path));
        }

        if (!planted) throw new InvalidOperationException($"'{mutant.Name}': there is no {mutant.File} in {mutant.Project}.");
        var compilation = CSharpCompilation.Create(mutant.Project, trees, References(mutant.Project),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release,
                nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true));
        using var image = new MemoryStream();
        var result = compilation.Emit(image);
        if (!result.Success)
            throw new InvalidOperationException($"'{mutant.Name}' does not compile: " + string.Join(Environment.NewLine,
                result.Diagnostics.Where(fault => fault.Severity == DiagnosticSeverity.Error).Take(5)));
        return image.ToArray();
    }

    /// <summary>How often the text to change stands in its file.</summary>
    public static int CountOf(Mutant mutant) =>
        File.ReadAllText(Path.Combine(Root, "src", mutant.Project, mutant.File)).Split(mutant.Find).Length - 1;

    private const string ImplicitUsings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
        global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;
        """;

    private static string Root
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Belfry.slnx"))) folder = folder.Parent;
            return folder?.FullName ?? throw new InvalidOperationException("No Belfry.slnx above " + AppContext.BaseDirectory);
        }
    }

    private static string GeneratedFolder(string project)
    {
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        return Directory.CreateDirectory(Path.Combine(Root, "artifacts", "obj", project, configuration, "generated")).FullName;
    }

    private static IEnumerable<MetadataReference> References(string project) =>
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(':')
            .Where(path => Path.GetFileNameWithoutExtension(path) != project)
            .Select(path => MetadataReference.CreateFromFile(path));

    private static SyntaxTree Tree(string text, string path) => CSharpSyntaxTree.ParseText(SourceText.From(text), Parse, path);
}
