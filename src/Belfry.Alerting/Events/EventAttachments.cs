using System.Text.Json;

namespace Belfry.Alerting.Events;

/// <summary>
/// Reads <c>links</c> and <c>images</c>. An entry that cannot be used (no object, no address, another scheme than http or https, an
/// image not on https) is left out: a refusal would lose a page over decoration.
/// </summary>
internal static class EventAttachments
{
    /// <summary>More than these are left out.</summary>
    public const int CountMax = 100;

    /// <summary>Null when there is none.</summary>
    public static List<EventLink>? ReadLinks(ref Utf8JsonReader reader)
    {
        List<EventLink>? links = null;
        if (!EnterArray(ref reader)) return null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var entry = Entry.Read(ref reader);
            if (IsWebAddress(entry.Href, httpsOnly: false) && (links?.Count ?? 0) < CountMax)
                (links ??= []).Add(new EventLink(entry.Href!, entry.Text));
        }

        return links;
    }

    /// <summary>Null when there is none.</summary>
    public static List<EventImage>? ReadImages(ref Utf8JsonReader reader)
    {
        List<EventImage>? images = null;
        if (!EnterArray(ref reader)) return null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var entry = Entry.Read(ref reader);
            var href = IsWebAddress(entry.Href, httpsOnly: false) ? entry.Href : null;
            if (IsWebAddress(entry.Src, httpsOnly: true) && (images?.Count ?? 0) < CountMax)
                (images ??= []).Add(new EventImage(entry.Src!, href, entry.Alt));
        }

        return images;
    }

    internal static bool IsWebAddress(string? text, bool httpsOnly) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && (uri.Scheme == Uri.UriSchemeHttps || (!httpsOnly && uri.Scheme == Uri.UriSchemeHttp));

    private static bool EnterArray(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.StartArray) return true;
        reader.Skip();
        return false;
    }

    private readonly record struct Entry(string? Href, string? Text, string? Src, string? Alt)
    {
        public static Entry Read(ref Utf8JsonReader reader)
        {
            var entry = default(Entry);
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                return entry;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("href"u8)) entry = entry with { Href = EventDraft.Next(ref reader).OrNull };
                else if (reader.ValueTextEquals("text"u8)) entry = entry with { Text = EventDraft.Next(ref reader).OrNull };
                else if (reader.ValueTextEquals("src"u8)) entry = entry with { Src = EventDraft.Next(ref reader).OrNull };
                else if (reader.ValueTextEquals("alt"u8)) entry = entry with { Alt = EventDraft.Next(ref reader).OrNull };
                else reader.Skip();
            }

            return entry;
        }
    }
}
