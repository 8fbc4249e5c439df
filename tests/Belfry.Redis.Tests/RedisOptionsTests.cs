namespace Belfry.Redis.Tests;

public sealed class RedisOptionsTests
{
    private static readonly RedisOptions Sound =
        new() { Configuration = "redis1:6379,redis2:6380,password=secret,defaultDatabase=2,ssl=true" };

    [Fact]
    public void The_defaults_are_sound() => Sound.Validate();

    [Fact]
    public void All_faults_are_in_one_message()
    {
        var faulty = new RedisOptions
        {
            Configuration = "", KeyPrefix = "a b", Database = -1, ConnectTimeout = TimeSpan.Zero, AnswerTimeout = TimeSpan.FromHours(1),
            FailuresToPause = 0, PauseFor = TimeSpan.FromMinutes(1), ReconnectAfter = TimeSpan.FromSeconds(-1), InFlightMax = 0,
            ProcessingFor = TimeSpan.Zero, CompletedFor = TimeSpan.Zero,
        };
        var message = Should.Throw<ArgumentException>(faulty.Validate).Message;
        foreach (var name in new[]
        {
            "Configuration is empty", "KeyPrefix is 'a b'", "Database is -1", "ConnectTimeout is 00:00:00",
            "AnswerTimeout is 01:00:00", "FailuresToPause is 0", "PauseFor is 00:01:00", "ReconnectAfter is -00:00:01",
            "InFlightMax is 0", "ProcessingFor is 00:00:00", "CompletedFor is 00:00:00",
        })
        {
            message.ShouldContain(name);
        }
    }

    [Theory]
    [InlineData("redis1,nonsense=1,password=secret")]
    [InlineData("redis1,defaultDatabase=x,password=secret")]
    public void A_configuration_that_cannot_be_read_is_refused_without_its_password(string configuration)
    {
        var message = Should.Throw<ArgumentException>((Sound with { Configuration = configuration }).Validate).Message;
        message.ShouldContain("Configuration cannot be read");
        message.ShouldNotContain("secret");
    }

    [Fact]
    public void A_configuration_without_a_server_is_refused() =>
        Should.Throw<ArgumentException>((Sound with { Configuration = "password=secret" }).Validate).Message
            .ShouldContain("Configuration names no server");

    [Theory]
    [InlineData("")]
    [InlineData("belfry é")]
    [InlineData("a\n")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345")]
    public void A_prefix_that_would_not_do_is_refused(string prefix) =>
        Should.Throw<ArgumentException>((Sound with { KeyPrefix = prefix }).Validate).Message.ShouldContain("KeyPrefix");

    [Fact]
    public void A_file_of_authorities_is_refused_that_is_missing_holds_none_or_is_of_no_use()
    {
        var file = Path.GetTempFileName();
        try
        {
            FaultsOf(Sound with { CaFile = file }).ShouldContain($"CaFile is '{file}', which holds no certificate in PEM");
            FaultsOf(Sound with { CaFile = file, Tls = false }).ShouldContain("CaFile is set, but Tls is off");
            File.WriteAllText(file, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
            FaultsOf(Sound with { CaFile = file }).ShouldContain($"CaFile is '{file}', which cannot be read");
            FaultsOf(Sound with { CaFile = file + ".gone" }).ShouldContain($"CaFile is '{file}.gone', which cannot be read");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void What_is_not_set_is_what_the_configuration_says()
    {
        var configuration = Sound.ToConfiguration();
        configuration.DefaultDatabase.ShouldBe(2);
        configuration.Ssl.ShouldBeTrue();
        configuration.Password.ShouldBe("secret");
        configuration.EndPoints.Count.ShouldBe(2);
    }

    [Fact]
    public void What_is_set_goes_before_the_configuration()
    {
        var configuration = (Sound with { Database = 5, Tls = false, ConnectTimeout = TimeSpan.FromSeconds(7) }).ToConfiguration();
        configuration.DefaultDatabase.ShouldBe(5);
        configuration.Ssl.ShouldBeFalse();
        configuration.ConnectTimeout.ShouldBe(7_000);
    }

    [Fact]
    public void A_start_never_hangs_on_redis()
    {
        var configuration = (Sound with { Configuration = "redis1,abortConnect=true,connectRetry=100" }).ToConfiguration();
        configuration.AbortOnConnectFail.ShouldBeFalse();
        configuration.ConnectRetry.ShouldBe(1);
    }

    private static string FaultsOf(RedisOptions options) => Should.Throw<ArgumentException>(options.Validate).Message;
}
