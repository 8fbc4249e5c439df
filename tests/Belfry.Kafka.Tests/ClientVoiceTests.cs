using Belfry.Testing;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Kafka.Tests;

/// <summary>What a request that ended as a timeout may have failed by.</summary>
public sealed class ClientVoiceTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void The_last_trouble_of_a_connection_is_told_for_a_while()
    {
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: false, signsIn: false);
        voice.Why().ShouldBe("");
        Say(voice, "FAIL", "[thrd:b:1/1]: b:1/1: Connect failed: refused");
        Say(voice, "CONFWARN", "[thrd:app]: something else");
        _time.Advance(TimeSpan.FromSeconds(39));
        voice.Why().ShouldBe("; a connection to b:1 failed 39.0 s before: b:1/1: Connect failed: refused");
        _time.Advance(TimeSpan.FromSeconds(1));
        voice.Why().ShouldBe("");
    }

    [Fact]
    public void The_broker_that_failed_last_is_named_and_others_are_counted()
    {
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: false, signsIn: false);
        Say(voice, "FAIL", "[thrd:x]: b:3/bootstrap: refused");
        Say(voice, "FAIL", "[thrd:x]: b:3/3: refused");
        _time.Advance(TimeSpan.FromSeconds(30));
        voice.Why().ShouldStartWith("; a connection to b:3 failed 30.0 s before: ");
        Say(voice, "FAIL", "[thrd:x]: ssl://b:1/1: handshake failed");
        voice.Why().ShouldBe("; a connection to b:1 failed 0.0 s before (and to 1 more): ssl://b:1/1: handshake failed");
        _time.Advance(TimeSpan.FromSeconds(30));
        voice.Why().ShouldStartWith("; a connection to b:1 failed 30.0 s before: ");
        for (var broker = 10; broker < 30; broker++) Say(voice, "FAIL", $"b:{broker}/{broker}: refused");
        voice.Why().ShouldContain("to b:29 failed 0.0 s before (and to 15 more): ");
    }

    [Fact]
    public void Only_who_did_not_answer_is_asked_why()
    {
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: false, signsIn: false);
        Say(voice, "FAIL", "refused");
        KafkaFaults.Unavailable("Asking", new Error(ErrorCode.Local_TimedOut), voice).Message.ShouldEndWith("refused");
        KafkaFaults.Unavailable("Asking", new Error(ErrorCode.TopicAuthorizationFailed), voice).Message.ShouldNotContain("refused");
    }

    [Theory]
    [InlineData("Disconnected (after 12ms in state UP)", "a sign-in")]
    [InlineData("Disconnected (after 1999ms in state UP)", "a sign-in")]
    [InlineData("Disconnected (after 2000ms in state UP)", "")]
    [InlineData("Disconnected (after 600000ms in state UP)", "")]
    [InlineData("b:1/1: Disconnected (after 1ms in state APIVERSION_QUERY)", "want TLS")]
    [InlineData("GroupCoordinator: b:1: Disconnected (after 1ms in state APIVERSION_QUERY)", "want TLS")]
    [InlineData("Disconnected in state UP", "")]
    [InlineData("", "")]
    public void An_end_that_refusals_do_not_have_gets_no_hint(string said, string hint)
    {
        if (hint.Length == 0) ConnectionHints.For(said, tls: false, signsIn: false).ShouldBe("");
        else ConnectionHints.For(said, tls: false, signsIn: false).ShouldEndWith(hint);
    }

    [Fact]
    public void Who_signs_in_is_not_told_to()
    {
        ConnectionHints.For("Disconnected (after 12ms in state UP)", tls: false, signsIn: true).ShouldBe("");
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: false, signsIn: true);
        Say(voice, "FAIL", "b:1/1: Disconnected (after 12ms in state UP)");
        voice.Why().ShouldNotContain("sign-in");
    }

    [Theory]
    [InlineData("ssl://b:1/1: ")]
    [InlineData("GroupCoordinator: b:1: ")]
    [InlineData("GroupCoordinator/1: b:1: ")]
    public void Who_speaks_TLS_is_not_told_to(string connection)
    {
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: true, signsIn: false);
        Say(voice, "FAIL", $"[thrd:x]: {connection}Disconnected (after 1ms in state APIVERSION_QUERY)");
        voice.Why().ShouldBe(
            $"; a connection to b:1 failed 0.0 s before: {connection}Disconnected (after 1ms in state APIVERSION_QUERY)");
    }

    /// <summary>A broker is one, however many connections to it have failed.</summary>
    [Theory]
    [InlineData("GroupCoordinator: b:1: Connect failed: refused", "b:1")]
    [InlineData("GroupCoordinator/1: b:1: Connect failed: refused", "b:1")]
    [InlineData("GroupCoordinator: Disconnected", "GroupCoordinator")]
    public void The_broker_that_coordinates_a_group_is_named(string said, string broker)
    {
        var voice = new ClientVoice(NullLogger.Instance, _time, tls: false, signsIn: false);
        Say(voice, "FAIL", $"{broker}/1: refused");
        Say(voice, "FAIL", $"[thrd:GroupCoordinator]: {said}");
        voice.Why().ShouldBe($"; a connection to {broker} failed 0.0 s before: {said}");
    }

    private static void Say(ClientVoice voice, string facility, string text) =>
        voice.Hear(new LogMessage("client", SyslogLevel.Error, facility, text));
}
