using System.Net;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;

namespace Belfry.Server.Tests.Support;

/// <summary>A browser without script: keeps cookies, follows no redirect, and posts the forms of pages with their hidden fields.</summary>
public sealed class Browser : IDisposable
{
    private readonly HttpClient _client;

    /// <param name="url">The server.</param>
    /// <param name="session">Content of the session cookie; null: not signed in.</param>
    public Browser(Uri url, string? session = null)
    {
        var cookies = new CookieContainer();
        if (session is not null) cookies.Add(url, new Cookie("belfry_session", session));
        _client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = cookies }) { BaseAddress = url };
    }

    public Task<HttpResponseMessage> GetAsync(string path) => _client.GetAsync(path);

    public Task<HttpResponseMessage> PostAsync(string path, HttpContent content) => _client.PostAsync(path, content);

    public async Task<(int Status, IDocument Document)> PageAsync(string path)
    {
        using var answer = await _client.GetAsync(path);
        return ((int)answer.StatusCode, await ParseAsync(answer));
    }

    /// <summary>Fills in and posts the form that the selector finds on the page.</summary>
    public async Task<HttpResponseMessage> SubmitAsync(string page, string selector, params (string Name, string Value)[] fields)
    {
        var (_, document) = await PageAsync(page);
        var form = document.QuerySelector(selector) ?? throw new InvalidOperationException($"{page} has no {selector}.");
        var values = form.QuerySelectorAll("input[type=hidden]").ToDictionary(
            i => i.GetAttribute("name")!, i => i.GetAttribute("value") ?? "");
        foreach (var (name, value) in fields) values[name] = value;
        return await PostAsync(form.GetAttribute("action") ?? page, new FormUrlEncodedContent(values));
    }

    public static async Task<IDocument> ParseAsync(HttpResponseMessage answer) =>
        await new HtmlParser().ParseDocumentAsync(await answer.Content.ReadAsStringAsync());

    public void Dispose() => _client.Dispose();
}
