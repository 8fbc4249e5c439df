using System.Text.Json.Nodes;
using Belfry.Alerting.Catalog;

namespace Belfry.Server.Api;

/// <summary>Failures of the REST API, all of one shape: <c>{"error":{"message","code","errors":[…]}}</c>, with PagerDuty's codes.</summary>
internal static class ApiErrors
{
    public const int InvalidInput = 2001;
    public const int Unauthorized = 2006;
    public const int Denied = 2010;
    public const int TooMany = 2020;
    public const int NotFoundCode = 2100;
    public const int Unavailable = 2008;

    /// <summary>400 with every fault.</summary>
    public static IResult Invalid(params IReadOnlyList<string> faults) => Of(400, InvalidInput, "Invalid Input Provided", faults);

    /// <summary>404; <paramref name="what"/> such as <c>incident 0190…</c>.</summary>
    public static IResult Missing(string what) => Of(404, NotFoundCode, "Not Found", [$"There is no {what}."]);

    public static IResult Forbidden(string why) => Of(403, Denied, "Access Denied", [why]);

    public static IResult Of(int status, int code, string message, IReadOnlyList<string> errors) =>
        new JsonNodeResult(status, Shape(code, message, errors));

    /// <summary>What a refused change of the configuration answers: 400 or 404.</summary>
    public static IResult Refused<T>(ChangeResult<T> result) => result switch
    {
        ChangeResult<T>.Invalid invalid => Invalid(invalid.Faults),
        ChangeResult<T>.Missing missing => Missing(missing.What),
        _ => Invalid(result.Explanation),
    };

    /// <summary>Shapes a failure that no endpoint answered itself: 401, 403, 404, 405, 413 and such.</summary>
    public static JsonObject ShapeOfStatus(int status) => status switch
    {
        401 => Shape(Unauthorized, "Unauthorized", ["Send 'Authorization: Token token=…' with a valid API token."]),
        403 => Shape(Denied, "Access Denied", ["The token's user may not do this."]),
        404 => Shape(NotFoundCode, "Not Found", ["There is no such path."]),
        405 => Shape(InvalidInput, "Method Not Allowed", ["The path does not take this method; the Allow header lists what it takes."]),
        413 => Shape(InvalidInput, "Payload Too Large", ["The body is larger than the server takes."]),
        415 => Shape(InvalidInput, "Unsupported Media Type", ["Send JSON."]),
        429 => Shape(TooMany, "Rate Limit Exceeded", ["Too many requests; the ratelimit-reset header says when to go on."]),
        503 => Shape(Unavailable, "Service Unavailable", ["The log does not take records now; repeat the request."]),
        >= 500 => Shape(2000, "Internal Error", ["The server failed; its diagnostics say why."]),
        _ => Shape(InvalidInput, "Invalid Input Provided", [$"The request could not be read (status {status})."]),
    };

    public static JsonObject Shape(int code, string message, IReadOnlyList<string> errors) => new()
    {
        ["error"] = new JsonObject
        {
            ["message"] = message,
            ["code"] = code,
            ["errors"] = new JsonArray([.. errors.Select(error => JsonValue.Create(error))]),
        },
    };
}

/// <summary>Answers JSON that was put together by hand.</summary>
internal sealed class JsonNodeResult(int status, JsonNode body) : IResult
{
    public JsonNode Body => body;
    public int Status => status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.StatusCode = status;
        return WriteAsync(httpContext.Response, body);
    }

    public static async Task WriteAsync(HttpResponse response, JsonNode body)
    {
        response.ContentType = "application/json";
        await response.WriteAsync(body.ToJsonString(), response.HttpContext.RequestAborted);
    }
}

/// <summary>Outermost middleware of <c>/api</c>: gives each failure without a body the error shape, whoever made it.</summary>
internal sealed class ApiErrorsFilter : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(async (http, rest) =>
        {
            if (!http.Request.Path.StartsWithSegments(ApiEndpoints.Root, StringComparison.Ordinal))
            {
                await rest(http);
                return;
            }

            try
            {
                await rest(http);
            }
            catch (BadHttpRequestException bad) when (!http.Response.HasStarted)
            {
                http.Response.StatusCode = bad.StatusCode;
            }

            var response = http.Response;
            if (response.StatusCode >= 400 && !response.HasStarted && response.ContentType is null)
                await JsonNodeResult.WriteAsync(response, ApiErrors.ShapeOfStatus(response.StatusCode));
        });
        next(app);
    };
}
