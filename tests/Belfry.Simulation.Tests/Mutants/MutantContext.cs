using System.Reflection;
using System.Runtime.Loader;

namespace Belfry.Simulation.Tests.Mutants;

/// <summary>
/// Loads a mutated library and anew what stands on it, beside the sound ones; what it stands on is shared. Never unloaded: code of a
/// context that can be unloaded is compiled on the spot, images made ahead of time are of no use to it.
/// </summary>
internal sealed class MutantContext(Mutant mutant, byte[] image) : AssemblyLoadContext(mutant.Name)
{
    /// <summary>Calls a static method of this test assembly inside the context.</summary>
    public object? Call(string type, string method, params object[] arguments)
    {
        const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        var tests = LoadFromAssemblyPath(typeof(MutantContext).Assembly.Location);
        try
        {
            return tests.GetType(type, throwOnError: true)!.GetMethod(method, Any)!.Invoke(null, arguments);
        }
        catch (TargetInvocationException fault) when (fault.InnerException is { } inner)
        {
            return inner.ToString();
        }
    }

    protected override Assembly? Load(AssemblyName name)
    {
        if (name.Name is null || !StandsOn(name.Name, mutant.Project)) return null;
        if (name.Name == mutant.Project) return LoadFromStream(new MemoryStream(image));
        return LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, name.Name + ".dll"));
    }

    private static bool StandsOn(string assembly, string library) =>
        assembly.StartsWith("Belfry.", StringComparison.Ordinal) && (assembly == library || Assembly.Load(assembly)
            .GetReferencedAssemblies().Any(reference => StandsOn(reference.Name!, library)));
}
