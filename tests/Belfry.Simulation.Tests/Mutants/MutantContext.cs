using System.Reflection;
using System.Runtime.Loader;

namespace Belfry.Simulation.Tests.Mutants;

/// <summary>Loads everything of Belfry's anew, one library of it mutated, beside the sound one.</summary>
internal sealed class MutantContext(Mutant mutant, byte[] image) : AssemblyLoadContext(mutant.Name, isCollectible: true)
{
    /// <summary>Calls a static method of this test assembly inside the context.</summary>
    public object? Call(string type, string method, params object[] arguments)
    {
        var tests = LoadFromAssemblyPath(typeof(MutantContext).Assembly.Location);
        try
        {
            const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
            return tests.GetType(type, throwOnError: true)!.GetMethod(method, Any)!
                .Invoke(null, arguments);
        }
        catch (TargetInvocationException fault) when (fault.InnerException is { } inner)
        {
            return inner.ToString();
        }
    }

    protected override Assembly? Load(AssemblyName name)
    {
        if (name.Name is null || !name.Name.StartsWith("Belfry.", StringComparison.Ordinal)) return null;
        if (name.Name == mutant.Project) return LoadFromStream(new MemoryStream(image));
        var path = Path.Combine(AppContext.BaseDirectory, name.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }
}
