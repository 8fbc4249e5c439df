using System.Net;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.Cli.Tests;

/// <summary>A web server on loopback that keeps what is posted to it.</summary>
internal sealed class JsonSink : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Channel<JsonNode> _posted = Channel.CreateUnbounded<JsonNode>();

    public JsonSink()
    {
        Url = $"http://127.0.0.1:{ChildProgram.FreePort()}/";
        _listener.Prefixes.Add(Url);
        _listener.Start();
        _ = ServeAsync();
    }

    public string Url { get; }

    public async Task<IReadOnlyList<JsonNode>> TakeAsync(int count)
    {
        var taken = new List<JsonNode>();
        while (taken.Count < count) taken.Add(await _posted.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
        return taken;
    }

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _listener.GetContextAsync();
                await _posted.Writer.WriteAsync((await JsonNode.ParseAsync(context.Request.InputStream))!);
                context.Response.StatusCode = 204;
                context.Response.Close();
            }
        }
        catch (Exception fault) when (fault is HttpListenerException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
