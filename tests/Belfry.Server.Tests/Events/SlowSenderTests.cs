using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Belfry.Server.Tests.Support;

namespace Belfry.Server.Tests.Events;

public sealed class SlowSenderTests : IAsyncLifetime
{
    private readonly HurriedTime _time = new(10, TimeSpan.FromSeconds(20));
    private readonly RunningServer _server;

    public SlowSenderTests() => _server = new RunningServer(_time);

    public Task InitializeAsync() => _server.InitializeAsync();

    public Task DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Senders_of_a_byte_a_second_are_told_that_they_took_too_long_and_hold_up_nobody()
    {
        var slow = Enumerable.Range(0, 30).Select(_ => AnswerToSlowAsync()).ToList();
        for (var i = 0; i < 20; i++)
            (await _server.PostAsync("/v2/enqueue", _server.Trigger())).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        foreach (var answer in await Task.WhenAll(slow).WaitAsync(TimeSpan.FromSeconds(30)))
        {
            answer.ShouldStartWith("HTTP/1.1 408");
            answer.ShouldContain("Connection: close");
            answer.ShouldEndWith(
                """
                {"status":"request timeout","message":"The body did not arrive within 20 seconds","errors":["Request timed out"]}
                """);
        }
    }

    private async Task<string> AnswerToSlowAsync()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_server.Url.Host, _server.Url.Port);
        var stream = socket.GetStream();
        var head = $"POST /v2/enqueue HTTP/1.1\r\nHost: {_server.Url.Authority}\r\nContent-Length: 1000\r\n\r\n{{";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        var answer = ReadAsync(stream);
        try
        {
            while (!answer.IsCompleted)
            {
                await stream.WriteAsync(" "u8.ToArray());
                await Task.WhenAny(answer, Task.Delay(TimeSpan.FromSeconds(1), _time));
            }
        }
        catch (IOException)
        {
            // The server has hung up; what it said before can still be read.
        }

        return await answer;
    }

    private static async Task<string> ReadAsync(NetworkStream stream)
    {
        const string LengthHeader = "Content-Length: ";
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var answer = new StringBuilder();
        var length = 0;
        while (await reader.ReadLineAsync() is { Length: > 0 } line)
        {
            answer.AppendLine(line);
            if (line.StartsWith(LengthHeader, StringComparison.OrdinalIgnoreCase))
                length = int.Parse(line[LengthHeader.Length..], CultureInfo.InvariantCulture);
        }

        var body = new char[length];
        await reader.ReadBlockAsync(body);
        return answer.Append(body).ToString();
    }
}
