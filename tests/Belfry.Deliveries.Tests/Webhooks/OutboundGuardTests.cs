using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Belfry.Deliveries.Tests.Support;

namespace Belfry.Deliveries.Tests.Webhooks;

public sealed class OutboundGuardTests
{
    private static readonly string[] Inside4 =
    [
        "127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1",
        "172.31.255.254", "192.168.0.1", "192.168.255.255", "169.254.169.254", "169.254.170.2", "169.254.0.1", "100.64.0.1",
        "100.100.100.200", "100.127.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
        "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    ];

    private static readonly string[] Inside6 =
    [
        "::", "::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "fc00::1", "fd00::1", "fd00:ec2::254", "ff02::1", "ff05::2",
        "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2001:10::1", "3fff::1", "100::1", "64:ff9b:1::1", "5f00::1",
        "4000::1",
    ];

    [Fact]
    public async Task Three_hundred_ways_to_the_inside_make_no_connection()
    {
        // Any name turns inward, and the port is permitted: only the rules on addresses stand before a connection.
        var connects = new List<IPAddress>();
        var guard = new OutboundGuard([], [80], (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]), (addresses, _, _) =>
        {
            connects.AddRange(addresses);
            throw new SocketException((int)SocketError.ConnectionRefused);
        });
        using var channel = new WebhookChannel(new WebhookOptions(), guard, TimeProvider.System);

        var hosts = Inside4.SelectMany(Spellings).Concat(Inside6.Select(a => $"[{a}]")).Concat(Names).Distinct().ToList();
        var denied = 0;
        var passed = new List<string>();
        foreach (var host in hosts)
        {
            var outcome = await SendAsync(host);
            if (outcome is SendOutcome.Permanent { Reason: var why } && why.Contains("denied: its address is", StringComparison.Ordinal))
                denied++;
            else passed.Add($"{host}: {outcome}");
        }

        passed.ShouldBeEmpty();
        denied.ShouldBeGreaterThanOrEqualTo(300);
        connects.ShouldBeEmpty();

        // A way to the outside does connect, so a connection would have been seen.
        (await SendAsync("93.184.216.34")).ShouldBeOfType<SendOutcome.Transient>();
        connects.ShouldBe([IPAddress.Parse("93.184.216.34")]);

        async Task<SendOutcome> SendAsync(string host)
        {
            var content = new WebhookContent { Url = $"http://{host}/", Body = Array.Empty<byte>(), Secrets = [] };
            return await channel.SendAsync(Sample.Delivery("k", content.Encode()), 1, default);
        }
    }

    [Theory]
    [InlineData("93.184.216.34")]
    [InlineData("1.1.1.1")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.1")]
    [InlineData("169.253.255.255")]
    [InlineData("223.255.255.254")]
    [InlineData("::ffff:1.1.1.1")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2001:4860:4860::8888")]
    public void Public_addresses_are_permitted(string address) => AddressRules.DeniedAs(IPAddress.Parse(address)).ShouldBeNull();

    [Fact]
    public async Task A_name_that_turns_inward_between_check_and_use_is_denied_on_the_address_used()
    {
        await using var sink = new HttpSink();
        var answers = new Queue<IPAddress[]>([[IPAddress.Parse("93.184.216.34")], [IPAddress.Loopback]]);
        var guard = new OutboundGuard([], [sink.Port], (_, _) => Task.FromResult(answers.Dequeue()));
        answers.Dequeue().ShouldHaveSingleItem();
        await Should.ThrowAsync<OutboundDeniedException>(async () => await guard.ConnectAsync(new("rebind.example", sink.Port), default));
        sink.Connects.ShouldBe(0);
        answers.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_allowed_network_opens_its_addresses_at_any_port_and_no_others()
    {
        await using var sink = new HttpSink();
        var guard = new OutboundGuard(["127.0.0.0/8", "10.1.0.0/16"]);
        await using (await guard.ConnectAsync(new("127.0.0.1", sink.Port), default))
        {
            guard.DeniedAs(new("h", 99), IPAddress.Parse("10.1.2.3")).ShouldBeNull();
            guard.DeniedAs(new("h", 80), IPAddress.Parse("10.2.2.3")).ShouldBe("its address is private");
            guard.DeniedAs(new("h", 99), IPAddress.Parse("1.1.1.1")).ShouldBe("port 99 is not one of 80, 443");
        }
    }

    [Fact]
    public void An_allowed_host_opens_that_port_alone()
    {
        var guard = new OutboundGuard(["Hooks.internal:8080"]);
        guard.DeniedAs(new("hooks.internal", 8080), IPAddress.Parse("10.0.0.1")).ShouldBeNull();
        guard.DeniedAs(new("hooks.internal", 80), IPAddress.Parse("10.0.0.1")).ShouldNotBeNull();
        guard.DeniedAs(new("other.internal", 8080), IPAddress.Parse("10.0.0.1")).ShouldNotBeNull();
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("host:0")]
    [InlineData("host:99999")]
    [InlineData("http://host:80")]
    [InlineData("10.0.0.0/33")]
    [InlineData("")]
    public void An_allow_list_entry_of_another_kind_stops_the_start(string entry) =>
        Should.Throw<FormatException>(() => new OutboundGuard([entry])).Message.ShouldContain($"'{entry}'");

    /// <summary>Names that every machine resolves without asking anybody, and spellings that URL parsers turn into addresses.</summary>
    private static IEnumerable<string> Names =>
    [
        "localhost", "LOCALHOST", "LocalHost", "localhost.", "127.1", "127.0.1", "0", "0x7f.1", "0177.1", "127。0。0。1", "１２７.0.0.1",
        "①②⑦.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:0:0:1]",
    ];

    private static IEnumerable<string> Spellings(string address)
    {
        var bytes = IPAddress.Parse(address).GetAddressBytes();
        var number = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        var groups = $"{number >> 16:x}:{number & 0xffff:x}";
        yield return address;
        yield return $"{number}";
        yield return $"0x{number:x8}";
        yield return string.Join('.', bytes.Select(b => $"0x{b:x}"));
        yield return string.Join('.', bytes.Select(b => $"0{Convert.ToString(b, 8)}"));
        yield return $"[::ffff:{address}]";
        yield return $"[::ffff:{groups}]";
        yield return $"[2002:{groups}::1]";
        yield return $"[64:ff9b::{groups}]";
        yield return $"[::{groups}]";
    }
}
