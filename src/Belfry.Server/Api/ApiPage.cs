using System.Text.Json.Nodes;

namespace Belfry.Server.Api;

/// <summary>Which part of a list is asked for: <c>limit</c> 1 to 100 (25), <c>offset</c> from 0; their sum is at most 10,000.</summary>
internal readonly record struct ApiPage(int Offset, int Limit)
{
    public const int LimitMax = 100;
    private const int ReachMax = 10_000;

    /// <summary>A limit above the most is the most; anything unreadable is refused.</summary>
    public static bool TryRead(HttpRequest request, out ApiPage page, out IResult? refusal)
    {
        page = default;
        refusal = null;
        var limit = Number(request, "limit", 25, 1);
        var offset = Number(request, "offset", 0, 0);
        if (limit is null) refusal = ApiErrors.Invalid($"limit is no whole number from 1 to {LimitMax}.");
        else if (offset is null) refusal = ApiErrors.Invalid("offset is no whole number from 0.");
        else if ((long)offset + Math.Min(limit.Value, LimitMax) > ReachMax)
            refusal = ApiErrors.Invalid($"offset + limit is more than {ReachMax}; narrow the list by its filters.");
        else page = new ApiPage(offset.Value, Math.Min(limit.Value, LimitMax));
        return refusal is null;
    }

    /// <summary>Wraps one page: the items under their name, beside <c>limit</c>, <c>offset</c>, <c>more</c> and <c>total</c>.</summary>
    public IResult Wrap<T>(
        string name, IReadOnlyList<T> items, long total, Func<T, JsonNode> shape) => new JsonNodeResult(200, new JsonObject
    {
        [name] = Shape.Array(items, shape),
        ["limit"] = Limit,
        ["offset"] = Offset,
        ["more"] = Offset + items.Count < total,
        ["total"] = total,
    });

    /// <summary>Cuts a list that is in memory already.</summary>
    public IResult Cut<T>(string name, IReadOnlyList<T> all, Func<T, JsonNode> shape) =>
        Wrap(name, [.. all.Skip(Offset).Take(Limit)], all.Count, shape);

    private static int? Number(HttpRequest request, string name, int fallback, int min)
    {
        string? text = request.Query[name];
        if (string.IsNullOrEmpty(text)) return fallback;
        return int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number)
            && number >= min ? number : null;
    }
}
