using System.Net;

namespace Belfry.Rig;

/// <summary>Asks again when the API says that a token has had its requests for this minute.</summary>
internal sealed class PatientHandler() : DelegatingHandler(new SocketsHttpHandler())
{
    private static readonly TimeSpan WaitUnlessTold = TimeSpan.FromSeconds(5);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is { } content) await content.LoadIntoBufferAsync(cancellationToken);
        while (true)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (answer.StatusCode != HttpStatusCode.TooManyRequests) return answer;
            var wait = answer.Headers.RetryAfter?.Delta ?? WaitUnlessTold;
            answer.Dispose();
            await Task.Delay(wait, cancellationToken);
        }
    }
}
