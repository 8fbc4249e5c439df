using System.Net;
using AngleSharp;
using AngleSharp.Dom;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A browser without script behind a balancer: one jar of cookies, whichever instance is asked.</summary>
internal sealed class Visitor
{
    private readonly Dictionary<string, string> _cookies = new(StringComparer.Ordinal);

    /// <summary>One with the same cookies, which goes its own way from here on.</summary>
    public Visitor Copy()
    {
        var copy = new Visitor();
        foreach (var (name, value) in _cookies) copy._cookies[name] = value;
        return copy;
    }

    public async Task<(HttpStatusCode Status, IDocument Page)> GetAsync(BelfryProgram instance, string path)
    {
        using var answer = await SendAsync(instance, new HttpRequestMessage(HttpMethod.Get, path));
        return (answer.StatusCode, await ReadAsync(answer));
    }

    /// <summary>Posts the form of a page, wherever that came from; fields given go before its own.</summary>
    public async Task<(HttpStatusCode Status, IDocument Page)> SubmitAsync(
        BelfryProgram instance, IDocument page, string selector, string path, params (string Name, string Value)[] fields)
    {
        var form = page.QuerySelector(selector).ShouldNotBeNull(page.DocumentElement.OuterHtml);
        var all = form.QuerySelectorAll("input[name],button[name]")
            .Select(field => (Name: field.GetAttribute("name")!, Value: field.GetAttribute("value") ?? ""))
            .Where(field => !fields.Any(given => given.Name == field.Name)).Concat(fields);
        var request = new HttpRequestMessage(HttpMethod.Post, form.GetAttribute("action") is { Length: > 0 } action ? action : path)
        {
            Content = new FormUrlEncodedContent(all.Select(field => KeyValuePair.Create(field.Name, field.Value))),
        };
        request.Headers.Add("Origin", instance.Url.GetLeftPart(UriPartial.Authority));
        using var answer = await SendAsync(instance, request);
        return (answer.StatusCode, await ReadAsync(answer));
    }

    private async Task<HttpResponseMessage> SendAsync(BelfryProgram instance, HttpRequestMessage request)
    {
        if (_cookies.Count > 0) request.Headers.Add("Cookie", string.Join("; ", _cookies.Select(cookie => $"{cookie.Key}={cookie.Value}")));
        var answer = await instance.Http.SendAsync(request);
        if (!answer.Headers.TryGetValues("Set-Cookie", out var set)) return answer;
        foreach (var cookie in set.Select(one => one.Split(';')[0].Split('=', 2))) _cookies[cookie[0]] = cookie[1];
        return answer;
    }

    private static async Task<IDocument> ReadAsync(HttpResponseMessage answer)
    {
        var html = await answer.Content.ReadAsStringAsync();
        return await BrowsingContext.New(Configuration.Default).OpenAsync(request => request.Content(html));
    }
}
