using Belfry.Alerting.Events;
using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using Belfry.Server.Layout;
using Belfry.Server.Pages;
using Belfry.Server.Security;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Belfry.Server.Incidents;

/// <summary>What an acknowledge link comes to.</summary>
public enum AcknowledgeState { Ready, Done, Pending, ActedAlready, Expired, Forged }

/// <summary>
/// <c>/ack/{token}</c>, the page behind the link of a mail. GET changes nothing, for mail scanners follow links; the button POSTs. No
/// sign-in: the signed token is the right to act, once, for one incident.
/// </summary>
internal static class AcknowledgeEndpoints
{
    public static void MapAcknowledgePage(this IEndpointRouteBuilder app)
    {
        app.MapGet("/ack/{token}", ShowAsync).Public().ExcludeFromDescription();
        app.MapPost("/ack/{token}", ActAsync).Public().ExcludeFromDescription();
    }

    private static async Task<IResult> ShowAsync(
        string token, HttpContext http, IAntiforgery antiforgery, TimeProvider time, AcknowledgeLinks links, IncidentDirectory incidents,
        CancellationToken cancel)
    {
        var context = ContextOf(http, time, antiforgery);
        var check = links.Verify(token, context.Now);
        if (check is not LinkCheck.Valid { Ticket: var ticket }) return Refuse(context, check);
        var found = await incidents.FindAsync(ticket.IncidentId, cancel);
        return found is null ? Refuse(context, new LinkCheck.Forged()) : Page(context, StateOf(ticket, found.Incident), found);
    }

    private static async Task<IResult> ActAsync(
        string token, [FromForm] IFormCollection form, HttpContext http, IAntiforgery antiforgery, TimeProvider time,
        AcknowledgeLinks links,
        IncidentDirectory incidents, CommandSender sender, CancellationToken cancel)
    {
        _ = form; // Bound so that the antiforgery token is demanded.
        var context = ContextOf(http, time, antiforgery);
        var check = links.Verify(token, context.Now);
        if (check is not LinkCheck.Valid { Ticket: var ticket }) return Refuse(context, check);
        var found = await incidents.FindAsync(ticket.IncidentId, cancel);
        if (found is null) return Refuse(context, new LinkCheck.Forged());
        if (StateOf(ticket, found.Incident) == AcknowledgeState.ActedAlready) return Page(context, AcknowledgeState.ActedAlready, found);
        var outcome = (await sender.SendAsync([AcknowledgeLinks.CommandOf(ticket, context.Now)], cancel))[0];
        var state = outcome switch
        {
            null => AcknowledgeState.Pending,
            { Progress: EventProgress.Processed, Reason: null } => AcknowledgeState.Done,
            _ => AcknowledgeState.ActedAlready,
        };
        return Page(context, state, found);
    }

    // The owner decides; this only spares the reader a button that could do nothing.
    private static AcknowledgeState StateOf(AcknowledgeTicket ticket, Incident incident) =>
        incident.Status == IncidentStatus.Resolved || incident.AcknowledgedEpoch > ticket.Epoch
            ? AcknowledgeState.ActedAlready
            : AcknowledgeState.Ready;

    private static IResult Refuse(PageContext context, LinkCheck check) => check is LinkCheck.Expired
        ? Render.Page<AcknowledgePage>(410, context, ("State", AcknowledgeState.Expired))
        : Render.Page<AcknowledgePage>(404, context, ("State", AcknowledgeState.Forged));

    private static IResult Page(PageContext context, AcknowledgeState state, NumberedIncident found) =>
        Render.Page<AcknowledgePage>(context, ("State", state), ("Numbered", found));

    // A public page shows no signed-in frame, even to somebody who is.
    private static PageContext ContextOf(HttpContext http, TimeProvider time, IAntiforgery antiforgery) =>
        PageContext.Of(http, time, antiforgery) with { Caller = null };
}
