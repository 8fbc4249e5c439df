using Belfry.Server.Layout;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Belfry.Server.Pages;

/// <summary>Answers with a page.</summary>
internal static class Render
{
    public static IResult Page<TPage>(
        PageContext context, params ReadOnlySpan<(string Name, object? Value)> parameters) where TPage : IComponent =>
        Page<TPage>(200, context, parameters);

    public static IResult Page<TPage>(int status, PageContext context, params ReadOnlySpan<(string Name, object? Value)> parameters)
        where TPage : IComponent
    {
        var all = new Dictionary<string, object?> { ["Context"] = context };
        foreach (var (name, value) in parameters) all[name] = value;
        return new RazorComponentResult<TPage>(all) { StatusCode = status };
    }

    public static IResult NotFound(PageContext context, string what) => Page<NotFoundPage>(404, context, ("What", what));
}
