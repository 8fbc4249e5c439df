using System.Security.Authentication;
using System.Text;
using Belfry.Log;

namespace Belfry.Kafka.Tests;

/// <summary>The request that the client has no call for, byte by byte, and the sign-in before it.</summary>
public class ProducerCensusTests
{
    [Fact]
    public void The_request_is_as_Kafka_describes_it() =>
        ProducerCensus.Request([new TopicPartition("ab", 0), new TopicPartition("ab", 258), new TopicPartition("c", 1)]).ShouldBe(
        [
            3,
            3, (byte)'a', (byte)'b', 3, 0, 0, 0, 0, 0, 0, 1, 2, 0,
            2, (byte)'c', 2, 0, 0, 0, 1, 0,
            0,
        ]);

    [Fact]
    public void A_producer_of_several_partitions_counts_once()
    {
        var census = new ProducerCensus();
        census.Read(new WireReader(Answer(error: 0, 7, 8)), "b");
        census.Read(new WireReader(Answer(error: 0, 8, 9)), "b");
        census.Count.ShouldBe(new ProducerCount(3, 4, IsComplete: true));
    }

    [Fact]
    public void A_leader_that_has_moved_is_passed_over_and_a_refusal_is_told()
    {
        var census = new ProducerCensus();
        census.Read(new WireReader(Answer(error: 6)), "b");
        census.Count.Producers.ShouldBe(0);
        Should.Throw<LogUnavailableException>(() => census.Read(new WireReader(Answer(error: 29)), "b:1")).Message.ShouldContain("b:1");
    }

    [Fact]
    public void An_answer_that_ends_too_early_is_no_answer()
    {
        var whole = Answer(error: 0, 7);
        for (var length = 0; length < whole.Length; length++)
        {
            var reader = new WireReader(whole[..length]);
            Should.Throw<InvalidDataException>(() => new ProducerCensus().Read(reader, "b"));
        }
    }

    [Fact]
    public async Task A_broker_that_is_not_there_is_unavailable()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();
        await Should.ThrowAsync<LogUnavailableException>(
            () => new ProducerCensus().AskAsync(TestLog.Options("x:1"), "127.0.0.1", port, [new TopicPartition("t", 0)], default));
    }

    // RFC 7677, section 3.
    [Fact]
    public void Scram_proves_what_the_standard_says_and_believes_no_impostor()
    {
        const string First = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        const string Last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        foreach (var (last, isTrue) in new[] { (Last, true), ("v=AAAA", false), ("e=no", false) })
        {
            var login = new ScramLogin(
                "user", "pencil", "rOprNGfwEbeRWgbNEkqO", System.Security.Cryptography.HashAlgorithmName.SHA256);
            Encoding.UTF8.GetString(login.Next(null)!).ShouldBe("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
            Encoding.UTF8.GetString(login.Next(Encoding.UTF8.GetBytes(First))!).ShouldBe(
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
            if (isTrue) login.Next(Encoding.UTF8.GetBytes(last)).ShouldBeNull();
            else Should.Throw<AuthenticationException>(() => login.Next(Encoding.UTF8.GetBytes(last)));
        }
    }

    private static byte[] Answer(short error, params long[] producers)
    {
        var wire = new WireWriter();
        wire.Int32(0);
        wire.CompactCount(1);
        wire.CompactText("t");
        wire.CompactCount(1);
        wire.Int32(0);
        wire.Int16(error);
        wire.CompactCount(-1);
        wire.CompactCount(producers.Length);
        foreach (var id in producers)
        {
            wire.Int32((int)(id >> 32));
            wire.Int32((int)id);
            for (var n = 0; n < 7; n++) wire.Int32(n);
            wire.NoTags();
        }

        wire.NoTags();
        wire.NoTags();
        wire.NoTags();
        return wire.ToArray();
    }
}
