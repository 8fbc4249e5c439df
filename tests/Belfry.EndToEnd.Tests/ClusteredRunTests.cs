using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Belfry.EndToEnd.Tests.Support;
using Belfry.Kafka.Tests;

namespace Belfry.EndToEnd.Tests;

/// <summary><c>./dev run --shape clustered --instances 3</c>: all of it on this machine, by one command.</summary>
public class ClusteredRunTests
{
    // Six servers are to start.
    private static readonly TimeSpan StartMore = TimeSpan.FromMinutes(2);

    [SkippableFact]
    public async Task Three_instances_and_their_services_start_serve_and_end_together()
    {
        Part.Redis();
        KafkaBroker.ScriptOrSkip();
        using var folder = new TempFolder();
        // PostgreSQL's user must get in; else its files go where the test does not remove them.
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder.Path, (UnixFileMode)0b111_101_101);
        var (data, readyFile) = (folder.Sub("data"), Path.Combine(folder.Path, "ready.json"));
        string[] arguments =
        [
            BelfryProgram.DllOf("Belfry.Local", "belfry-local"), "run", "--instances", "3", "--demo", "--data", data,
            "--urls", "http://127.0.0.1:0", "--ready-file", readyFile,
        ];
        await using (var run = new ChildProgram("dotnet", arguments))
        {
            var ready = await ReadyAsync(run, readyFile);
            var instances = ready["instances"]!.AsArray();
            instances.Count.ShouldBe(3);
            ready["url"]!.ToString().ShouldBe(instances[0]!["url"]!.ToString());
            instances.Select(one => one!["url"]!.ToString()).ShouldBeUnique();
            using var http = new HttpClient();
            foreach (var url in instances.Select(one => one!["url"]!.ToString()))
                await Eventually.TrueAsync($"{url} is ready", async () =>
                    (await http.GetAsync($"{url}/health/ready")).StatusCode == HttpStatusCode.OK, () => run.Output);

            // Taken by one, its page is in the folder that all share, whoever sent it.
            using var taken = await http.PostAsync($"{instances[2]!["url"]}/v2/enqueue", new StringContent(new JsonObject
            {
                ["routing_key"] = ready["integrationKey"]!.DeepClone(), ["event_action"] = "trigger", ["dedup_key"] = "k",
                ["payload"] = new JsonObject { ["summary"] = "Disk is full", ["source"] = "db-1", ["severity"] = "critical" },
            }.ToJsonString()));
            taken.StatusCode.ShouldBe(HttpStatusCode.Accepted);
            var mails = ready["mailDir"]!.ToString();
            await Eventually.TrueAsync("the page", () => Task.FromResult(Directory.GetFiles(mails, "*.eml").Length > 0), () => run.Output);

            await run.TerminateAsync();
            run.ExitCode.ShouldBe(0, run.Output);
            foreach (var one in instances) IsAlive(one!).ShouldBeFalse($"{one} has ended");
        }

        // The same team is there again; and when one instance dies, all end, with its status, and no service stays.
        await using var again = new ChildProgram("dotnet", arguments);
        var second = (await ReadyAsync(again, readyFile))["instances"]!.AsArray();
        using (var victim = Process.GetProcessById(second[1]!["pid"]!.GetValue<int>())) victim.Kill();
        await again.EndedAsync();
        again.ExitCode.ShouldBe(128 + 9, again.Output);
        foreach (var one in second) IsAlive(one!).ShouldBeFalse($"{one} has ended");
        await using var status = new ChildProgram(
            "dotnet", [BelfryProgram.DllOf("Belfry.Local", "belfry-local"), "services", "status", "--dir", Path.Combine(data, "services")]);
        await status.EndedAsync();
        status.ExitCode.ShouldBe(3, status.Output);
        status.Output.ShouldNotContain(" up ");
    }

    private static async Task<JsonNode> ReadyAsync(ChildProgram run, string file)
    {
        File.Delete(file);
        return JsonNode.Parse(await Eventually.GetAsync("the ready file", async () =>
            run.HasExited ? throw new InvalidOperationException($"It ended with {run.ExitCode}: {run.Output}")
            : File.Exists(file) ? await File.ReadAllTextAsync(file) : null, () => run.Output, more: StartMore))!;
    }

    private static bool IsAlive(JsonNode instance)
    {
        try
        {
            using var process = Process.GetProcessById(instance["pid"]!.GetValue<int>());
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
