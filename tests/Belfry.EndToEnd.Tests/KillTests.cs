using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace Belfry.EndToEnd.Tests;

/// <summary>The real program under SIGKILL: drill 22 of the embedded shape, with the whole way of an event behind it.</summary>
public class KillTests(ITestOutputHelper output)
{
    private static readonly int Kills = int.Parse(
        Environment.GetEnvironmentVariable("BELFRY_KILLS") ?? "100", System.Globalization.CultureInfo.InvariantCulture);

    [SkippableFact]
    public async Task Killed_a_hundred_times_under_load_it_loses_nothing_and_repeats_only_what_was_in_flight()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        using var folder = new TempFolder();
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"));
        var (data, port) = (folder.Sub("data"), ChildProgram.FreePort());
        string[] arguments = ["--demo", "--smtp", $"127.0.0.1:{smtp.Port}"];

        var accepted = new ConcurrentDictionary<string, bool>();
        string integrationKey;
        await using (var first = await BelfryProgram.StartAsync(data, port, arguments)) integrationKey = first.IntegrationKey;

        using var stop = new CancellationTokenSource();
        var load = LoadAsync(port, integrationKey, accepted, stop.Token);
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var belfry = await BelfryProgram.StartAsync(data, port, arguments);
            await Task.Delay(random.Next(20, 900));
            await belfry.Process.KillAsync();
        }

        await using var last = await BelfryProgram.StartAsync(data, port, arguments);
        await stop.CancelAsync();
        var sent = await load;

        var titles = await Eventually.GetAsync("an incident for every accepted event", TimeSpan.FromSeconds(60), async () =>
        {
            var found = (await last.IncidentsAsync()).Select(incident => incident["title"]!.GetValue<string>()).ToList();
            return accepted.Keys.All(found.Contains) ? found : null;
        }, () => last.Process.Output);
        titles.ShouldBeUnique();
        titles.ShouldAllBe(title => sent.Contains(title), "nothing that nobody sent");

        await Eventually.TrueAsync("a mail for every incident", TimeSpan.FromSeconds(90), () =>
        {
            var subjects = smtp.Mails().Select(mail => mail.Subject).ToList();
            return Task.FromResult(titles.All(title => subjects.Any(subject => subject.Contains(title, StringComparison.Ordinal))));
        }, () => last.Process.Output);

        var perNotification = smtp.Mails().GroupBy(mail => mail.MessageId).Select(group => group.Count()).ToList();
        var extra = perNotification.Sum(count => count - 1);
        output.WriteLine($"seed {seed}: {Kills} kills, {accepted.Count} accepted of {sent.Count} sent, {titles.Count} incidents, "
            + $"{perNotification.Count} notifications, {extra} sent twice");
        perNotification.Max().ShouldBeLessThanOrEqualTo(2, "C2: at most two for one notification");
        accepted.Count.ShouldBeGreaterThan(Kills, "the load must have been real");

        await last.Process.TerminateAsync(TimeSpan.FromSeconds(20));
        foreach (var file in Directory.GetFiles(data, "*.db")) IntegrityOf(file).ShouldBe("ok");
    }

    // One event at a time, each with a name of its own; an unanswered one is sent again under the same key, as real senders do.
    private static async Task<HashSet<string>> LoadAsync(
        int port, string integrationKey, ConcurrentDictionary<string, bool> accepted, CancellationToken stop)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromSeconds(5) };
        var sent = new HashSet<string>();
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var name = $"Event number {i:d6}";
            sent.Add(name);
            var body = new JsonObject
            {
                ["routing_key"] = integrationKey,
                ["event_action"] = "trigger",
                ["dedup_key"] = name,
                ["payload"] = new JsonObject { ["summary"] = name, ["source"] = "load", ["severity"] = "critical" },
            }.ToJsonString();
            while (!stop.IsCancellationRequested)
                try
                {
                    using var answer = await http.PostAsync("/v2/enqueue", new StringContent(body), stop);
                    answer.StatusCode.ShouldBe(HttpStatusCode.Accepted);
                    accepted[name] = true;
                    break;
                }
                catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException or IOException)
                {
                    await Task.Delay(20, CancellationToken.None);
                }

            await Task.Delay(40, CancellationToken.None);
        }

        return sent;
    }

    private static string IntegrityOf(string file)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "pragma integrity_check";
        return (string)command.ExecuteScalar()!;
    }
}
