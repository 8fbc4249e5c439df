using System.Globalization;
using Belfry.Log;
using Belfry.Outbox;
using Belfry.Server.Api;

namespace Belfry.Server.Security;

/// <summary>
/// Answers requests that met a log or store that is away: 503 with <c>Retry-After</c>, a page to people and the API's error shape to
/// programs. Whatever else fails answers 500 in the same two ways. Stands outside of sign-in, which needs the store too.
/// </summary>
internal static partial class Outages
{
    private static readonly TimeSpan ComeAgainAfter = TimeSpan.FromSeconds(5);

    public static void UseOutages(this IApplicationBuilder app)
    {
        var logger = app.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("Belfry.Server.Requests");
        app.Use(next => async context =>
        {
            try
            {
                await next(context);
            }
            catch (Exception fault) when (fault is LogUnavailableException or StoreUnavailableException && !context.Response.HasStarted)
            {
                LogUnavailable(logger, context.Request.Method, context.TraceIdentifier, fault.Message);
                Clear(context.Response);
                context.Response.Headers.RetryAfter = ComeAgainAfter.TotalSeconds.ToString(CultureInfo.InvariantCulture);
                await AnswerOf(context, StatusCodes.Status503ServiceUnavailable).ExecuteAsync(context);
            }
            catch (Exception fault) when (!IsOfTheSender(fault, context) && !context.Response.HasStarted)
            {
                LogFailed(logger, context.Request.Method, context.TraceIdentifier, fault);
                Clear(context.Response);
                await AnswerOf(context, StatusCodes.Status500InternalServerError).ExecuteAsync(context);
            }
        });
    }

    // What the endpoint had begun to say is void, what every answer says is not.
    private static void Clear(HttpResponse response)
    {
        foreach (var header in (string[])["Location", "Content-Type", "Content-Length", "ETag"]) response.Headers.Remove(header);
    }

    // The server answers a request that cannot be read; nobody reads an answer to one that was given up.
    private static bool IsOfTheSender(Exception fault, HttpContext context) =>
        fault is BadHttpRequestException || context.RequestAborted.IsCancellationRequested;

    private static IResult AnswerOf(HttpContext context, int status) => Refusals.IsFromProgram(context.Request)
        ? new JsonNodeResult(status, ApiErrors.ShapeOfStatus(status))
        : SignInPages.NotNow(status, HttpMethods.IsGet(context.Request.Method));

    [LoggerMessage(231, LogLevel.Warning, "{Method} request {Request} was told to come again: {Reason}")]
    private static partial void LogUnavailable(ILogger logger, string method, string request, string reason);

    [LoggerMessage(232, LogLevel.Error, "{Method} request {Request} failed")]
    private static partial void LogFailed(ILogger logger, string method, string request, Exception fault);
}
