using System.Net;
using AngleSharp;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>The page behind the link of a mail.</summary>
internal static class AcknowledgePage
{
    /// <summary>Presses the page's one button as a browser without script would: same form, same hidden fields, same cookies.</summary>
    /// <param name="belfry">Who is asked.</param>
    /// <param name="link">Of the mail; which instance it names does not matter.</param>
    /// <param name="page">What <paramref name="belfry"/> answered to it.</param>
    public static async Task<HttpResponseMessage> PressAsync(BelfryProgram belfry, Uri link, HttpResponseMessage page)
    {
        var html = await page.Content.ReadAsStringAsync();
        var document = await BrowsingContext.New(Configuration.Default).OpenAsync(request => request.Content(html));
        var form = document.QuerySelector("main form[method=post]").ShouldNotBeNull();
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(link, form.GetAttribute("action") ?? link.ToString()).PathAndQuery)
        {
            Content = new FormUrlEncodedContent(form.QuerySelectorAll("input[name],button[name]")
                .Select(field => KeyValuePair.Create(field.GetAttribute("name")!, field.GetAttribute("value") ?? ""))),
        };
        request.Headers.Add("Origin", belfry.Url.GetLeftPart(UriPartial.Authority));
        if (page.Headers.TryGetValues("Set-Cookie", out var cookies))
            request.Headers.Add("Cookie", string.Join("; ", cookies.Select(cookie => cookie.Split(';')[0])));
        var answer = await belfry.Http.SendAsync(request);
        return answer.StatusCode is HttpStatusCode.SeeOther or HttpStatusCode.Redirect
            ? await belfry.Http.GetAsync(new Uri(belfry.Url, answer.Headers.Location!)) : answer;
    }
}
