using Belfry.Local.Instances;
using Belfry.Local.Services;

namespace Belfry.Local.Tests;

public sealed class RunOptionsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-local-test").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Instances_get_ports_one_after_another_folders_of_their_own_and_one_for_keys_and_mails()
    {
        var options = RunOptions.Read(["--instances", "3", "--data", _folder, "--urls=http://*:9000;https://127.0.0.1:9443/", "--demo"]);
        options.UrlsOf(1).ShouldBe("http://*:9000;https://127.0.0.1:9443");
        options.UrlsOf(3).ShouldBe("http://*:9002;https://127.0.0.1:9445");
        options.DataOf(2).ShouldBe(Path.Combine(_folder, "2"));
        options.KeysDir.ShouldBe(Path.Combine(_folder, "keys"));
        options.MailFolder.ShouldBe(Path.Combine(_folder, "mail"));
        options.Demo.ShouldBeTrue();
        options.Others.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("http://localhost", "http://localhost:81")]
    [InlineData("https://localhost/", "https://localhost:444")]
    [InlineData("http://[::1]", "http://[::1]:81")]
    [InlineData("http://[::1]:8000", "http://[::1]:8001")]
    [InlineData("http://127.0.0.1:0", "http://127.0.0.1:0")]
    public void The_second_instance_listens_one_port_above(string first, string second) =>
        RunOptions.Read(["--instances", "2", "--urls", first]).UrlsOf(2).ShouldBe(second);

    [Fact]
    public void What_is_the_servers_goes_to_each_instance_as_it_is()
    {
        var options = RunOptions.Read(["--smtp", "mail:25", "--mail-from=a@b.example", "--webhook-allow", "10.0.0.0/8"]);
        options.Instances.ShouldBe(1);
        options.MailFolder.ShouldBeNull("mails go to the server");
        options.Others.ShouldBe(["--mail-from=a@b.example", "--webhook-allow", "10.0.0.0/8", "--smtp", "mail:25"]);
    }

    [Fact]
    public void Services_that_the_configuration_names_are_not_started()
    {
        var config = Path.Combine(_folder, "belfry.json");
        File.WriteAllText(config, """{"Belfry":{"Kafka":{"BootstrapServers":"kafka:9092"},"Postgres":{"StatementMax":"00:00:10"}}}""");
        var options = RunOptions.Read(["--config", config]);
        options.Names(LocalKafka.Setting).ShouldBeTrue();
        options.Names(LocalPostgres.Setting).ShouldBeFalse("it says how long a statement takes, not where the server is");
        options.Names(LocalRedis.Setting).ShouldBeFalse();
        options.NamesAll.ShouldBeFalse();
    }

    [Fact]
    public void All_faults_are_named_at_once() =>
        Should.Throw<UsageException>(() => RunOptions.Read(
            ["--instances", "17", "--brokers", "2", "--shape", "embedded", "--data"])).Message.ShouldBe("""
            --data needs a value.
            --shape is 'embedded'; several processes, and those that share services, are of the shape 'clustered'.
            --instances is '17', 1 to 16 is needed.
            --brokers is '2', 1 or 3 is needed.
            """);

    [Fact]
    public void A_configuration_that_is_not_there_is_a_fault() =>
        Should.Throw<UsageException>(() => RunOptions.Read(["--config", "/none.json"])).Message
            .ShouldStartWith("--config: The configuration file 'none.json' was not found");

    [Fact]
    public void Ports_that_do_not_exist_are_a_fault() =>
        Should.Throw<UsageException>(() => RunOptions.Read(["--instances", "3", "--urls", "http://127.0.0.1:65534"]))
            .Message.ShouldContain("leaves no ports for 3 instances");
}
