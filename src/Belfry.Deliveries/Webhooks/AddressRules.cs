using System.Net;
using System.Net.Sockets;

namespace Belfry.Deliveries;

/// <summary>
/// Which addresses are the public internet. Source: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890), and the
/// metadata services of cloud providers.
/// </summary>
internal static class AddressRules
{
    private static readonly (IPNetwork Network, string Name)[] Denied4 =
    [
        (IPNetwork.Parse("0.0.0.0/8"), "unspecified"),
        (IPNetwork.Parse("10.0.0.0/8"), "private"),
        (IPNetwork.Parse("100.64.0.0/10"), "carrier-grade NAT"),
        (IPNetwork.Parse("127.0.0.0/8"), "loopback"),
        (IPNetwork.Parse("168.63.129.16/32"), "metadata"),
        (IPNetwork.Parse("169.254.0.0/16"), "link-local or metadata"),
        (IPNetwork.Parse("172.16.0.0/12"), "private"),
        (IPNetwork.Parse("192.0.0.0/24"), "protocol assignments"),
        (IPNetwork.Parse("192.0.2.0/24"), "documentation"),
        (IPNetwork.Parse("192.88.99.0/24"), "6to4 relay"),
        (IPNetwork.Parse("192.168.0.0/16"), "private"),
        (IPNetwork.Parse("198.18.0.0/15"), "benchmarking"),
        (IPNetwork.Parse("198.51.100.0/24"), "documentation"),
        (IPNetwork.Parse("203.0.113.0/24"), "documentation"),
        (IPNetwork.Parse("224.0.0.0/4"), "multicast"),
        (IPNetwork.Parse("240.0.0.0/4"), "reserved or broadcast"),
    ];

    private static readonly IPNetwork Global6 = IPNetwork.Parse("2000::/3");

    private static readonly (IPNetwork Network, string Name)[] Denied6 =
    [
        (IPNetwork.Parse("2001::/23"), "protocol assignments (Teredo, ORCHID)"),
        (IPNetwork.Parse("2001:db8::/32"), "documentation"),
        (IPNetwork.Parse("2002::/16"), "6to4"),
        (IPNetwork.Parse("3fff::/20"), "documentation"),
    ];

    /// <summary>Null: a public address. Otherwise what it is.</summary>
    public static string? DeniedAs(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetwork) return Match(Denied4, address);
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return "of no internet family";
        // Loopback, unspecified, unique local, link-local, multicast, compatible and NAT64 all lie outside global unicast.
        return Global6.Contains(address) ? Match(Denied6, address) : "not global unicast";
    }

    private static string? Match((IPNetwork Network, string Name)[] denied, IPAddress address)
    {
        foreach (var (network, name) in denied)
        {
            if (network.Contains(address)) return name;
        }

        return null;
    }
}
