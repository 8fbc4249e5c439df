using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;

namespace Belfry.Tidy.Tests;

/// <summary>Reads which members the methods of an assembly call, by decoding their IL.</summary>
internal static class IlReader
{
    private const BindingFlags Everything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    // Many rules ask for the same few assemblies.
    private static readonly ConcurrentDictionary<Assembly, IReadOnlyList<(Type, MethodBase)>> Read = new();

    private static readonly Dictionary<short, OpCode> Codes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Pairs of (type that calls, member called), nested and compiler-made types counted to the type that holds them.</summary>
    public static IReadOnlyList<(Type Caller, MethodBase Called)> Calls(Assembly assembly) => Read.GetOrAdd(assembly, static assembly =>
    [
        .. from type in assembly.GetTypes()
           from method in type.GetMethods(Everything).Cast<MethodBase>().Concat(type.GetConstructors(Everything))
           from called in Calls(method)
           select (Outermost(type), called),
    ]);

    public static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static IEnumerable<MethodBase> Calls(MethodBase method)
    {
        var il = method.GetMethodBody()?.GetILAsByteArray();
        if (il is null) yield break;
        var typeArguments = method.DeclaringType is { IsGenericType: true } declaring ? declaring.GetGenericArguments() : null;
        var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (var at = 0; at < il.Length;)
        {
            var code = il[at] == 0xfe ? Codes[(short)(0xfe00 | il[at + 1])] : Codes[il[at]];
            at += code.Size;
            if (code.OperandType is OperandType.InlineMethod)
                if (method.Module.ResolveMethod(BitConverter.ToInt32(il, at), typeArguments, methodArguments) is { } called)
                    yield return called;
            at += code.OperandType == OperandType.InlineSwitch ? 4 + (4 * BitConverter.ToInt32(il, at)) : SizeOf(code.OperandType);
        }
    }

    private static int SizeOf(OperandType operand) => operand switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };
}
