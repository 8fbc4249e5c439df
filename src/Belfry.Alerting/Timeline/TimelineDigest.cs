using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Belfry.Alerting.Timeline;

/// <summary>One running SHA-256 an incident over its numbered entries: equal digests mean equal stories in equal order.</summary>
internal sealed class TimelineDigest
{
    private readonly Dictionary<string, (long Sequence, string Hash)> _incidents = new(StringComparer.Ordinal);

    public long Entries { get; private set; }

    public IReadOnlyDictionary<string, string> Digests =>
        _incidents.ToDictionary(pair => pair.Key, pair => pair.Value.Hash, StringComparer.Ordinal);

    public void AddNext(string incident, string document) => Add(incident, _incidents.GetValueOrDefault(incident).Sequence + 1, document);

    public void Add(string incident, long sequence, string document)
    {
        var before = _incidents.GetValueOrDefault(incident).Hash;
        var line = string.Create(CultureInfo.InvariantCulture, $"{before}|{sequence}|{document}");
        _incidents[incident] = (sequence, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line))));
        Entries++;
    }
}
