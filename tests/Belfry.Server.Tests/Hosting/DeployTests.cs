using System.Text.RegularExpressions;
using Belfry.Server.Hosting;
using Microsoft.Extensions.Configuration;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Belfry.Server.Tests.Hosting;

/// <summary>What <c>deploy/</c> says is read by the server as it is meant, and its parts find one another.</summary>
public class DeployTests
{
    private static readonly string[] Instances = ["belfry1", "belfry2", "belfry3"], Brokers = ["kafka1", "kafka2", "kafka3"];

    [Fact]
    public void Each_instance_of_the_compose_file_has_settings_that_the_server_takes_and_shares_what_must_be_shared()
    {
        var services = Compose().Services;
        services.Keys.ShouldBe([.. Instances, .. Brokers, "postgres", "redis"], ignoreOrder: true);
        var all = Instances.Select(name => ServerOf(Environment(services[name]))).ToList();
        all.Select(server => server.Urls).ShouldBeUnique();
        all.ShouldAllBe(server => server.DataDir == "/var/lib/belfry" && server.KeysFolder == "/etc/belfry/keys");
        foreach (var name in Instances)
        {
            var volumes = List(services[name], "volumes");
            volumes.ShouldBe([$"{name}:/var/lib/belfry", "keys:/etc/belfry/keys"], "a folder of its own, and one of all");
            ((Dictionary<object, object>)services[name]["depends_on"]).Keys.Select(key => (string)key)
                .ShouldBe([.. Brokers, "postgres", "redis"], ignoreOrder: true);
        }
    }

    [Fact]
    public void The_instances_of_the_compose_file_look_for_the_others_where_they_listen()
    {
        var (services, volumes) = Compose();
        var cluster = ServerOf(Environment(services["belfry1"])).Cluster.ShouldNotBeNull();
        cluster.Kafka.BootstrapServers.Split(',').ShouldBe(
            Brokers.Select(name => Environment(services[name])["KAFKA_ADVERTISED_LISTENERS"].Replace("PLAINTEXT://", "")));
        var voters = Brokers.Select(name => Environment(services[name])).Select(one =>
            $"{one["KAFKA_NODE_ID"]}@{one["KAFKA_LISTENERS"].Split("CONTROLLER://")[1]}");
        Environment(services["kafka2"])["KAFKA_CONTROLLER_QUORUM_VOTERS"].ShouldBe(string.Join(',', voters));
        string.Join(' ', List(services["postgres"], "command")).ShouldContain(
            "port=" + Regex.Match(cluster.Postgres.ConnectionString, @"Port=(\d+)").Groups[1].Value + " ");
        string.Join(' ', List(services["redis"], "command")).ShouldContain(
            "--port " + cluster.Redis!.Configuration.Split(',')[0].Split(':')[1] + " ");
        services.Values.Where(service => service.ContainsKey("volumes")).SelectMany(service => List(service, "volumes"))
            .Select(volume => volume.Split(':')[0]).Distinct().ShouldBe(volumes, ignoreOrder: true);
    }

    [Theory]
    [InlineData("belfry.service")]
    [InlineData("belfry@.service")]
    public void What_the_systemd_units_start_is_a_whole_configuration(string unit)
    {
        var text = File.ReadAllText(PathOf($"systemd/{unit}")).Replace("%i", "2").Replace(" $BELFRY_OPTIONS", "");
        var words = Regex.Match(text, "(?m)^ExecStart=/usr/bin/dotnet /opt/belfry/belfry-server.dll (.*)$").Groups[1].Value.Split(' ');
        words.ShouldContain("/etc/belfry/belfry.json", "the file is copied there");
        string[] here = [.. words.Select(word => word == "/etc/belfry/belfry.json" ? PathOf("belfry.json") : word)];
        var faults = new List<string>();
        var options = ServerOptions.Read(here, ServerOptions.ConfigurationOf(here, faults), faults);
        faults.ShouldBeEmpty();
        options.Cluster.ShouldNotBeNull();
        if (unit == "belfry@.service") (options.DataDir, options.Urls).ShouldBe(("/var/lib/belfry/2", "http://*:8082"));
    }

    private static ServerOptions ServerOf(Dictionary<string, string> environment)
    {
        var faults = new List<string>();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            environment.Select(one => KeyValuePair.Create(one.Key.Replace("__", ":"), (string?)one.Value))).Build();
        var options = ServerOptions.Read([], configuration, faults);
        faults.ShouldBeEmpty();
        return options;
    }

    private static (Dictionary<string, Dictionary<object, object>> Services, List<string> Volumes) Compose()
    {
        var parser = new MergingParser(new Parser(new StringReader(File.ReadAllText(PathOf("compose.yaml")))));
        var file = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(parser);
        var services = ((Dictionary<object, object>)file["services"])
            .ToDictionary(one => (string)one.Key, one => (Dictionary<object, object>)one.Value);
        return (services, [.. ((Dictionary<object, object>)file["volumes"]).Keys.Select(key => (string)key)]);
    }

    private static Dictionary<string, string> Environment(Dictionary<object, object> service) =>
        ((Dictionary<object, object>)service["environment"]).ToDictionary(one => (string)one.Key, one => (string)one.Value);

    private static List<string> List(Dictionary<object, object> service, string key) =>
        [.. ((List<object>)service[key]).Select(one => (string)one)];

    /// <summary>From <c>deploy/</c>.</summary>
    internal static string PathOf(string file)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Belfry.slnx"))) return Path.Combine(folder.FullName, "deploy", file);
        throw new FileNotFoundException(file);
    }
}
