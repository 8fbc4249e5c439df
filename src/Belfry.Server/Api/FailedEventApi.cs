using System.Globalization;
using System.Text.Json.Nodes;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.Incidents;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.Api;

/// <summary><c>/failed_events</c>: what could not be processed, and putting it back on its way.</summary>
internal static class FailedEventApi
{
    public static void MapFailedEvents(this RouteGroupBuilder api)
    {
        api.MapGet("/failed_events", ListAsync).RequireAuthorization(Policies.Administrator)
            .WithSummary("Events that could not be processed, newest first; pass next_cursor on as cursor for more");
        api.MapPost("/failed_events/{partition}/{offset}/replay", ReplayAsync).RequireAuthorization(Policies.Administrator)
            .WithSummary("Puts a failed event back on its way under the same id; harmless if repeated");
    }

    private static async Task<IResult> ListAsync(
        [FromQuery(Name = "cursor")] string? cursor, HttpContext http, FailedEvents failed, IncidentDirectory incidents,
        CancellationToken cancel)
    {
        if (!ApiPage.TryRead(http.Request, out var page, out var refusal)) return refusal!;
        if (page.Offset > 0) return ApiErrors.Invalid("This list has no offset; pass the last answer's next_cursor on as cursor.");
        if (await failed.ListAsync(cursor, page.Limit, cancel) is not { } list)
            return ApiErrors.Invalid("cursor is none that this list has given.");
        var states = await incidents.EventStatesAsync([.. list.Items.Select(one => one.Id).Distinct()], cancel);
        var byId = states.ToDictionary(state => state.Id);
        return new JsonNodeResult(200, new JsonObject
        {
            ["failed_events"] = Shape.Array(list.Items, one => EventShape.OfFailed(one, byId.GetValueOrDefault(one.Id))),
            ["limit"] = page.Limit,
            ["more"] = list.Next is not null,
            ["next_cursor"] = list.Next,
        });
    }

    private static async Task<IResult> ReplayAsync(
        string partition, string offset, HttpContext http, FailedEvents failed, CatalogReader catalog, TimeProvider time,
        CancellationToken cancel)
    {
        var (actor, denied) = ApiActor.Of(http, catalog.Current);
        if (denied is not null) return denied;
        return TryRead(partition, offset, out var at)
            && await failed.ReplayAsync(at.Partition, at.Offset, actor, time.GetUtcNow(), cancel) is { } replayed
            ? Shape.One("failed_event", EventShape.OfFailed(replayed, null), 202)
            : ApiErrors.Missing($"failed event {offset} of partition {partition}");
    }

    /// <summary>The name of a failed event in a path; false where it cannot be one.</summary>
    public static bool TryRead(string partition, string offset, out (int Partition, long Offset) at)
    {
        at = default;
        return int.TryParse(partition, NumberStyles.None, CultureInfo.InvariantCulture, out at.Partition)
            && long.TryParse(offset, NumberStyles.None, CultureInfo.InvariantCulture, out at.Offset);
    }
}
