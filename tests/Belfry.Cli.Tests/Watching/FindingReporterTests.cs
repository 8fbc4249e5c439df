using System.Net;
using Belfry.Cli.Watching;

namespace Belfry.Cli.Tests;

public class FindingReporterTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 27, 0, 0, 0, TimeSpan.Zero);
    private static readonly WatchFinding Finding = new(FindingKind.Unreachable, "brokers", Now, "nobody answers");

    [Fact]
    public async Task A_finding_is_posted_once_whatever_comes_behind_a_status_of_success()
    {
        using var receiver = new Receiver(HttpStatusCode.OK);
        (await ReportAsync(receiver)).ShouldBe("");
        receiver.Posts.ShouldBe(1);
    }

    [Fact]
    public async Task A_status_of_failure_is_tried_three_times_and_told()
    {
        using var receiver = new Receiver(HttpStatusCode.BadGateway);
        (await ReportAsync(receiver)).ShouldContain("502; given up after 3 tries");
        receiver.Posts.ShouldBe(3);
    }

    private static async Task<string> ReportAsync(Receiver receiver)
    {
        using var http = new HttpClient(receiver, disposeHandler: false) { MaxResponseContentBufferSize = 1 << 10 };
        var errors = new StringWriter();
        var reporter = new FindingReporter(TextWriter.Null, errors, new Uri("http://receiver.example/"), http);
        await reporter.ReportAsync([Finding], Now, isWhole: true, default);
        return errors.ToString();
    }

    /// <summary>Answers with a body of which the client would not keep the half.</summary>
    private sealed class Receiver(HttpStatusCode status) : HttpMessageHandler
    {
        public int Posts { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Posts++;
            return Task.FromResult(new HttpResponseMessage(status) { Content = new ByteArrayContent(new byte[4 << 10]) });
        }
    }
}
