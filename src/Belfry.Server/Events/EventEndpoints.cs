using Belfry.Alerting.Events;
using Belfry.Server.Security;

namespace Belfry.Server.Events;

/// <summary>
/// The two inlets of PagerDuty's Events API v2. No sign-in: the secret is in the body. Routed before authentication and the rest of
/// the way, since this is the road that 10,000 events a second take. Contract: events API, sections 1 and 4.
/// </summary>
internal static partial class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder routes)
    {
        Map("/v2/enqueue", EventKind.Alert);
        Map("/v2/change/enqueue", EventKind.Change);

        void Map(string path, EventKind kind) =>
            routes.MapPost(path, context => HandleAsync(context, kind)).Public().ShortCircuit();
    }

    private static async Task HandleAsync(HttpContext context, EventKind kind)
    {
        var services = context.RequestServices;
        var acceptor = services.GetRequiredService<EventAcceptor>();
        string? headerKey = context.Request.Headers["X-Routing-Key"];
        using var body = await EventBody.ReadAsync(context, services.GetRequiredService<TimeProvider>());
        if (body.End == BodyEnd.Gone) return;
        var reply = body.End switch
        {
            BodyEnd.Read => await AcceptAsync(context, acceptor, kind, body.Bytes, headerKey),
            BodyEnd.TooLarge => EventReplies.Of(acceptor.RefuseTooLarge(body.Size, headerKey)),
            BodyEnd.TooSlow => EventReplies.TooSlow,
            _ => EventReplies.Unrecognized with { Close = true },
        };
        if (!context.RequestAborted.IsCancellationRequested) await EventReplies.WriteAsync(context.Response, reply);
    }

    private static async ValueTask<EventReply> AcceptAsync(
        HttpContext context, EventAcceptor acceptor, EventKind kind, ReadOnlyMemory<byte> body, string? headerKey)
    {
        try
        {
            return EventReplies.Of(await acceptor.AcceptAsync(kind, body, headerKey, context.RequestAborted));
        }
        catch (Exception fault)
        {
            // Unforeseen, so a fault of ours: the sender must come again, for nothing says that the event is safe.
            if (!context.RequestAborted.IsCancellationRequested)
                LogFailed(context.RequestServices.GetRequiredService<ILogger<EventAcceptor>>(), context.TraceIdentifier, fault);
            return EventReplies.Of(new AcceptResult.Unavailable(TimeSpan.FromSeconds(30)));
        }
    }

    [LoggerMessage(111, LogLevel.Error, "Request {Request} with an event failed; its sender was told to come again")]
    private static partial void LogFailed(ILogger logger, string request, Exception fault);
}
