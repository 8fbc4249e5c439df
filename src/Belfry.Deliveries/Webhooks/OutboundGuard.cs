using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Belfry.Deliveries;

/// <summary>A connection that the rules for outgoing requests forbid. Not retryable: the operator decides, by the allow-list.</summary>
public sealed class OutboundDeniedException(string message) : Exception(message);

/// <summary>
/// Opens the connections of outgoing requests, and only to public addresses on ports 80 and 443, save for the allow-list. The check is
/// made on the very address that is connected to, so neither a name's spelling nor a changing DNS answer gets around it.
/// </summary>
public sealed class OutboundGuard
{
    private readonly HashSet<string> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<IPNetwork> _networks = [];
    private readonly IReadOnlyList<int> _ports;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> _resolve;
    private readonly Func<IPAddress[], int, CancellationToken, Task<Stream>> _connect;

    /// <param name="allowList">
    /// Entries <c>host:port</c> (that name and port, at any address) or a CIDR network, <c>10.1.0.0/16</c> (those addresses, at any port).
    /// </param>
    /// <exception cref="FormatException">An entry is neither.</exception>
    public OutboundGuard(IReadOnlyList<string> allowList)
        : this(allowList, [80, 443], (host, cancel) => Dns.GetHostAddressesAsync(host, cancel))
    {
    }

    /// <summary>
    /// With ports, resolver and connections of a test's own, so that the rules on addresses are seen to hold by themselves.
    /// </summary>
    internal OutboundGuard(
        IReadOnlyList<string> allowList, IReadOnlyList<int> ports, Func<string, CancellationToken, Task<IPAddress[]>> resolve,
        Func<IPAddress[], int, CancellationToken, Task<Stream>>? connect = null)
    {
        (_ports, _resolve, _connect) = (ports, resolve, connect ?? OpenAsync);
        foreach (var entry in allowList)
        {
            if (IPNetwork.TryParse(entry, out var network)) _networks.Add(network);
            else if (IsHostAndPort(entry)) _hosts.Add(entry);
            else throw new FormatException($"The allow-list entry '{entry}' is neither host:port nor a CIDR network.");
        }
    }

    /// <summary>Resolves once, and connects to the first permitted address that answers.</summary>
    /// <exception cref="OutboundDeniedException">No permitted address.</exception>
    /// <exception cref="SocketException">No answer, or no such name.</exception>
    public async ValueTask<Stream> ConnectAsync(DnsEndPoint endpoint, CancellationToken cancel)
    {
        var addresses = IPAddress.TryParse(endpoint.Host, out var literal)
            ? [literal]
            : await _resolve(endpoint.Host, cancel);
        var allowed = addresses.Where(address => DeniedAs(endpoint, address) is null).ToArray();
        if (allowed.Length == 0)
        {
            var why = addresses.Length == 0 ? "it has no address" : DeniedAs(endpoint, addresses[0]);
            throw new OutboundDeniedException(
                $"Requests to '{endpoint.Host}:{endpoint.Port}' are denied: {why}; an operator may allow it by host:port or CIDR.");
        }

        return await _connect(allowed, endpoint.Port, cancel);
    }

    private static async Task<Stream> OpenAsync(IPAddress[] addresses, int port, CancellationToken cancel)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Null: permitted. Otherwise why not.</summary>
    internal string? DeniedAs(DnsEndPoint endpoint, IPAddress address)
    {
        if (_hosts.Contains(string.Create(CultureInfo.InvariantCulture, $"{endpoint.Host}:{endpoint.Port}"))) return null;
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (_networks.Exists(network => network.Contains(plain))) return null;
        if (AddressRules.DeniedAs(address) is { } kind) return $"its address is {kind}";
        return _ports.Contains(endpoint.Port) ? null : $"port {endpoint.Port} is not one of {string.Join(", ", _ports)}";
    }

    private static bool IsHostAndPort(string entry)
    {
        var colon = entry.LastIndexOf(':');
        return colon > 0 && !entry.AsSpan(0, colon).ContainsAny(" /@")
            && ushort.TryParse(entry.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0;
    }
}
