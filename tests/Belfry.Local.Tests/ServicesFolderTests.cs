using System.Text.Json.Nodes;
using Belfry.Local.Services;

namespace Belfry.Local.Tests;

/// <summary>Real services in a folder of the test's own; without one of them the test skips, and fails when CI=true.</summary>
public sealed class ServicesFolderTests : IDisposable
{
    private readonly TimeProvider _time = TimeProvider.System;
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-local-test").FullName;

    public ServicesFolderTests()
    {
        // PostgreSQL's user must get in.
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_101);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [SkippableFact]
    public async Task Services_start_serve_and_come_back_on_the_same_ports_with_what_they_held()
    {
        string config;
        using (var services = await OpenAsync(new ServicesOptions()))
        {
            Need(services);
            await ServicesFolder.StartAsync(services.All, default);
            services.WriteConfig();
            config = await File.ReadAllTextAsync(services.ConfigFile);
            await AllAsync(services, up: true);
            await ServicesFolder.StopAsync(services.All);
            await AllAsync(services, up: false);
        }

        var belfry = JsonNode.Parse(config)!["Belfry"]!;
        belfry["Shape"]!.ToString().ShouldBe("clustered");
        belfry["Kafka"]!["ReplicationFactor"]!.ToString().ShouldBe("1");
        using (var again = await OpenAsync(new ServicesOptions(Brokers: 1)))
        {
            await ServicesFolder.StartAsync(again.All, default);
            // One that runs is left alone.
            await ServicesFolder.StartAsync(again.All, default);
            await AllAsync(again, up: true);
            again.WriteConfig();
            (await File.ReadAllTextAsync(again.ConfigFile)).ShouldBe(config);
            File.GetUnixFileMode(again.ConfigFile).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite, "it holds passwords");
            await ServicesFolder.StopAsync(again.All);
        }
    }

    [Fact]
    public async Task A_folder_is_used_by_one_process_at_a_time_and_stays_as_it_was_made()
    {
        using (await OpenAsync(new ServicesOptions(RedisPort: 21_400)))
        {
            (await Should.ThrowAsync<IOException>(() => OpenAsync(new ServicesOptions()))).Message.ShouldContain("Another process uses");
            using var looking = ServicesFolder.Find(_folder, toLook: true, TimeProvider.System);
            looking.All.Select(service => service.Address).ShouldContain("127.0.0.1:21400");
        }

        (await Should.ThrowAsync<InvalidOperationException>(() => OpenAsync(new ServicesOptions(Brokers: 3, RedisPort: 21_400))))
            .Message.ShouldContain("made with --brokers 1, not 3");
    }

    [Fact]
    public void A_folder_in_which_nothing_was_started_is_named() =>
        Should.Throw<InvalidOperationException>(() => ServicesFolder.Find(_folder, toLook: true, TimeProvider.System))
            .Message.ShouldContain($"ever started in '{_folder}'");

    private Task<ServicesFolder> OpenAsync(ServicesOptions options) =>
        ServicesFolder.OpenAsync(_folder, options, TimeProvider.System, default);

    private static void Need(ServicesFolder services)
    {
        var missing = services.All.Select(service => service.Missing()).OfType<string>().ToList();
        if (missing.Count == 0) return;
        if (Environment.GetEnvironmentVariable("CI") == "true") throw new InvalidOperationException(string.Join('\n', missing));
        Skip.If(true, string.Join('\n', missing));
    }

    /// <summary>One that answers late counts as down: asked again for a while.</summary>
    private async Task AllAsync(ServicesFolder services, bool up)
    {
        foreach (var service in services.All)
        {
            for (var tries = 1; await service.IsUpAsync(default) != up; tries++)
            {
                tries.ShouldBeLessThan(15, $"{service.Name} is not {(up ? "up" : "down")}");
                await Task.Delay(TimeSpan.FromSeconds(1), _time);
            }
        }
    }
}
