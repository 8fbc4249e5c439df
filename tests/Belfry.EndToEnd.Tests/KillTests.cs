using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Belfry.EndToEnd.Tests.Support;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace Belfry.EndToEnd.Tests;

/// <summary>The real program under SIGKILL: drill 22 of the embedded shape, with the whole way of an event behind it.</summary>
public class KillTests(ITestOutputHelper output)
{
    private const int EventsMax = 20;
    private const int AliveMsMax = 300;
    private const int StartMsMax = 1_500;
    private static readonly int Kills = int.Parse(
        Environment.GetEnvironmentVariable("BELFRY_KILLS") ?? "4", CultureInfo.InvariantCulture);

    [SkippableFact]
    public async Task Killed_at_random_moments_under_load_it_loses_nothing_and_repeats_only_what_was_in_flight()
    {
        var (seed, startedAt) = (Environment.TickCount, Stopwatch.GetTimestamp());
        var random = new Random(seed);
        using var folder = new TempFolder();
        await using var smtp = await SmtpServer.StartAsync(folder.Sub("mail"), slow: true);
        var (data, port) = (folder.Sub("data"), ChildProgram.FreePort());
        string[] arguments = ["--demo", "--smtp", $"127.0.0.1:{smtp.Port}"];
        string integrationKey;
        await using (var first = await BelfryProgram.StartAsync(data, port, arguments)) integrationKey = first.IntegrationKey;

        await using var load = EventLoad.Start(port, integrationKey, senders: 2);
        var hits = new Dictionary<string, int>();
        for (var kill = 0; kill < Kills; kill++)
        {
            // One in five dies on its way up.
            if (kill % 5 == 1) await KillStartingAsync(data, port, random.Next(StartMsMax), arguments);
            else await KillServingAsync(data, port, load, random.Next(1, EventsMax), random.Next(AliveMsMax), arguments);
            foreach (var key in SendsInFlight(data, folder.Sub($"after-{kill}"))) hits[key] = hits.GetValueOrDefault(key) + 1;
        }

        await using var last = await BelfryProgram.StartAsync(data, port, arguments);
        await load.StopAsync();
        var titles = await Outcome.IncidentsOfAllAsync(last, load);
        await Outcome.MailsOfAllAsync(last, smtp, titles);

        var copies = smtp.Mails().GroupBy(mail => mail.MessageId).ToDictionary(group => group.Key, group => group.Count());
        var extras = copies.Values.Sum(count => count - 1);
        output.WriteLine($"seed {seed}: {Kills} kills in {Stopwatch.GetElapsedTime(startedAt):c}, {load.Accepted.Count} events accepted "
            + $"of {load.Sent.Count} sent, {titles.Count} incidents, {copies.Count} notifications, {hits.Values.Sum()} sends in flight at "
            + $"the kills, {extras} mails sent again, at most {copies.Values.Max()} of one");
        extras.ShouldBeLessThanOrEqualTo(hits.Values.Sum(), "C2: all extras together <= sends in flight at the kills");
        var hitsByName = hits.ToDictionary(hit => NameOf(hit.Key), hit => hit.Value);
        foreach (var (id, count) in copies)
            count.ShouldBeLessThanOrEqualTo(
                1 + hitsByName.GetValueOrDefault(id.Trim('<').Split('@')[0]),
                $"C2: {id} was sent more often than once and once for each kill during a send of it");
        load.Accepted.Count.ShouldBeGreaterThan(Kills, "the load must have been real");
        if (Kills >= 20) hits.Count.ShouldBeGreaterThan(0, "some of so many kills must have met a send");

        await last.Process.TerminateAsync();
        last.Process.ExitCode.ShouldBe(0, last.Process.Output);
        foreach (var file in (string[])["belfry.db", "belfry-log.db"])
            Query(Path.Combine(data, file), "pragma integrity_check").ShouldBe(["ok"], file);
    }

    // Some events later and a moment more: on a busy machine a moment alone may pass before the first event is taken.
    private static async Task KillServingAsync(
        string data, int port, EventLoad load, int events, int aliveMs, string[] arguments)
    {
        await using var belfry = await BelfryProgram.StartAsync(data, port, arguments);
        await load.AcceptedAsync(load.Accepted.Count + events);
        await Task.Delay(aliveMs);
        await belfry.Process.KillAsync();
    }

    private static async Task KillStartingAsync(string data, int port, int aliveMs, string[] arguments)
    {
        await using var child = BelfryProgram.Launch(data, port, arguments);
        await Task.Delay(aliveMs);
        await child.KillAsync();
    }

    // Looked up in a copy: opening the file itself would do the recovery that the next start is there to show.
    private static IReadOnlyList<string> SendsInFlight(string data, string copy)
    {
        foreach (var file in Directory.GetFiles(data, "belfry.db*")) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        var keys = Query(Path.Combine(copy, "belfry.db"), "select idem_key from delivery where state = 0 and channel = 'email'");
        Directory.Delete(copy, recursive: true);
        return keys;
    }

    // How a mail's Message-ID follows from the key of its delivery.
    private static string NameOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 20));

    private static IReadOnlyList<string> Query(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read()) rows.Add(reader.GetString(0));
        return rows;
    }
}
