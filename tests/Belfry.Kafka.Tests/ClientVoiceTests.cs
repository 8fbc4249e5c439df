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
        var voice = new ClientVoice(NullLogger.Instance, _time);
        voice.Why().ShouldBe("");
        Say(voice, "FAIL", "[thrd:b:1/1]: b:1/1: Connect failed: refused");
        Say(voice, "CONFWARN", "[thrd:app]: something else");
        _time.Advance(TimeSpan.FromSeconds(39));
        voice.Why().ShouldBe("; a connection failed 39.0 s before: b:1/1: Connect failed: refused");
        _time.Advance(TimeSpan.FromSeconds(1));
        voice.Why().ShouldBe("");
    }

    [Fact]
    public void Only_who_did_not_answer_is_asked_why()
    {
        var voice = new ClientVoice(NullLogger.Instance, _time);
        Say(voice, "FAIL", "refused");
        KafkaFaults.Unavailable("Asking", new Error(ErrorCode.Local_TimedOut), voice).Message.ShouldEndWith("refused");
        KafkaFaults.Unavailable("Asking", new Error(ErrorCode.TopicAuthorizationFailed), voice).Message.ShouldNotContain("refused");
    }

    [Theory]
    [InlineData("Disconnected (after 12ms in state UP)", "a sign-in")]
    [InlineData("Disconnected (after 600000ms in state UP)", "")]
    [InlineData("ssl://b:1/1: Disconnected (after 1ms in state APIVERSION_QUERY)", "")]
    [InlineData("b:1/1: Disconnected (after 1ms in state APIVERSION_QUERY)", "want TLS")]
    [InlineData("Disconnected in state UP", "")]
    [InlineData("", "")]
    public void An_end_that_refusals_do_not_have_gets_no_hint(string said, string hint)
    {
        if (hint.Length == 0) ConnectionHints.For(said).ShouldBe("");
        else ConnectionHints.For(said).ShouldEndWith(hint);
    }

    private static void Say(ClientVoice voice, string facility, string text) =>
        voice.Hear(new LogMessage("client", SyslogLevel.Error, facility, text));
}
