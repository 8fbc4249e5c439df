using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Belfry.Server.Hosting;

/// <summary>
/// Where the server's sockets are bound: on loopback until there is an administrator, then where <c>--urls</c> says, without a restart.
/// It is a source of configuration, for Kestrel goes over to other endpoints when <c>Kestrel:Endpoints</c> changes.
/// Source: reliability reference, section 9, "Bind".
/// </summary>
internal sealed class ListenAddresses(IReadOnlyList<string> wanted) : ConfigurationProvider, IConfigurationSource
{
    private const string Section = "Kestrel:Endpoints";

    /// <summary>As asked for.</summary>
    public IReadOnlyList<string> Wanted => wanted;

    /// <summary>As bound at first.</summary>
    public IReadOnlyList<string> Bound { get; private set; } = [];

    /// <summary>True: <see cref="Wanted"/> reaches beyond this machine, and is not listened on yet.</summary>
    public bool IsNarrowed => !Bound.SequenceEqual(wanted);

    /// <summary>True: going over failed, and the program ends for it.</summary>
    public bool WereRefused { get; set; }

    /// <summary>Takes the place of the URLs that the host has from elsewhere.</summary>
    /// <exception cref="InvalidOperationException">Configuration names endpoints of its own, which would not wait for anybody.</exception>
    public static ListenAddresses AddTo(IConfigurationManager configuration, string urls)
    {
        if (configuration.GetSection(Section).GetChildren().FirstOrDefault() is { } foreign)
            throw new InvalidOperationException($"Configuration has '{foreign.Path}'; remove it, and say where to listen by --urls.");
        var addresses = new ListenAddresses(urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        configuration.Add(addresses);
        return addresses;
    }

    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    /// <summary>Call before the server starts.</summary>
    /// <param name="everywhere">False: on this machine only.</param>
    public void Bind(bool everywhere) => Set(everywhere ? wanted : [.. wanted.Select(OnThisMachine).Distinct()]);

    /// <summary>Goes over to <see cref="Wanted"/>: soon after, and with a short gap in which nobody is answered.</summary>
    /// <param name="listened">What is listened on: a port of 0 stays what it has become.</param>
    public void Widen(IReadOnlyList<string> listened) =>
        Set([.. wanted.Select(url => Bound.ToList().IndexOf(OnThisMachine(url)) is var at and >= 0 && at < listened.Count
            ? WithPortOf(url, listened[at])
            : url)]);

    /// <summary>The address on loopback, with the same scheme and port. What binds to this machine alone stays as it is.</summary>
    public static string OnThisMachine(string url)
    {
        var (scheme, host, port) = Split(url);
        if (host == "localhost" || host.StartsWith("unix:", StringComparison.OrdinalIgnoreCase)) return url;
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address)) return $"{scheme}://127.0.0.1{port}";
        if (IPAddress.IsLoopback(address)) return url;
        return address.AddressFamily == AddressFamily.InterNetworkV6 ? $"{scheme}://[::1]{port}" : $"{scheme}://127.0.0.1{port}";
    }

    private void Set(IReadOnlyList<string> urls)
    {
        if (Bound.Count == 0) Bound = urls;
        Data = urls.Select((url, at) => (Key: $"{Section}:Belfry{at.ToString("D3", CultureInfo.InvariantCulture)}:Url", url))
            .ToDictionary(pair => pair.Key, string? (pair) => pair.url, StringComparer.OrdinalIgnoreCase);
        OnReload();
    }

    private static string WithPortOf(string url, string listened)
    {
        var (scheme, host, port) = Split(url);
        return port == ":0" ? $"{scheme}://{host}{Split(listened).Port}" : url;
    }

    // No Uri: hosts such as * and + are none to it. The port keeps its colon, and may be missing.
    private static (string Scheme, string Host, string Port) Split(string url)
    {
        var start = url.IndexOf("://", StringComparison.Ordinal);
        var rest = url[(start + 3)..].TrimEnd('/');
        var colon = rest.LastIndexOf(':');
        var hasPort = colon > rest.LastIndexOf(']') && !rest.StartsWith("unix:", StringComparison.OrdinalIgnoreCase);
        return (url[..start], hasPort ? rest[..colon] : rest, hasPort ? rest[colon..] : "");
    }
}
