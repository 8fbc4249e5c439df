using System.Text;
using System.Text.Json;

namespace Belfry.Alerting.Events;

/// <summary>A field as sent: absent, blank or null; a text (numbers and booleans count as theirs); or an array or object.</summary>
internal readonly record struct DraftText(string? Text, bool IsStructure)
{
    public bool IsBlank => !IsStructure && string.IsNullOrWhiteSpace(Text);
    public string? OrNull => IsBlank ? null : Text;

    public static DraftText Read(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return new DraftText(reader.GetString(), false);
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                reader.Skip();
                return new DraftText(null, true);
            case JsonTokenType.Null:
                return default;
            default:
                return new DraftText(Encoding.UTF8.GetString(reader.ValueSpan), false);
        }
    }
}

/// <summary>The fields of an event as sent, before any check. Of a name that comes twice the last one counts.</summary>
internal struct EventDraft
{
    public DraftText RoutingKey;
    public DraftText Action;
    public DraftText DedupKey;
    public DraftText Client;
    public DraftText ClientUrl;
    public PayloadDraft? Payload;
    public List<EventLink>? Links;
    public List<EventImage>? Images;

    /// <summary>False: no JSON object, or something after it.</summary>
    public static bool TryRead(ReadOnlySpan<byte> json, out EventDraft draft)
    {
        draft = default;
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = EventParser.DepthMax });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName) draft.ReadField(ref reader);
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void ReadField(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("routing_key"u8)) RoutingKey = Next(ref reader);
        else if (reader.ValueTextEquals("event_action"u8)) Action = Next(ref reader);
        else if (reader.ValueTextEquals("dedup_key"u8)) DedupKey = Next(ref reader);
        else if (reader.ValueTextEquals("payload"u8)) Payload = PayloadDraft.Read(ref reader);
        else if (reader.ValueTextEquals("links"u8)) Links = EventAttachments.ReadLinks(ref reader);
        else if (reader.ValueTextEquals("images"u8)) Images = EventAttachments.ReadImages(ref reader);
        else if (reader.ValueTextEquals("client"u8)) Client = Next(ref reader);
        else if (reader.ValueTextEquals("client_url"u8)) ClientUrl = Next(ref reader);
        else reader.Skip();
    }

    internal static DraftText Next(ref Utf8JsonReader reader)
    {
        reader.Read();
        return DraftText.Read(ref reader);
    }
}

/// <summary>The payload as sent.</summary>
internal sealed class PayloadDraft
{
    public static PayloadDraft Empty { get; } = new();

    public DraftText Summary { get; private set; }
    public DraftText Source { get; private set; }
    public DraftText Severity { get; private set; }
    public DraftText Timestamp { get; private set; }
    public DraftText Component { get; private set; }
    public DraftText Group { get; private set; }
    public DraftText Class { get; private set; }
    public JsonElement? CustomDetails { get; private set; }

    /// <summary>Null for anything but an object.</summary>
    public static PayloadDraft? Read(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        var payload = new PayloadDraft();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName) payload.ReadField(ref reader);
        return payload;
    }

    private void ReadField(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("summary"u8)) Summary = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("source"u8)) Source = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("severity"u8)) Severity = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("timestamp"u8)) Timestamp = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("component"u8)) Component = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("group"u8)) Group = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("class"u8)) Class = EventDraft.Next(ref reader);
        else if (reader.ValueTextEquals("custom_details"u8)) CustomDetails = ReadDetails(ref reader);
        else reader.Skip();
    }

    private static JsonElement? ReadDetails(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Null ? null : JsonElement.ParseValue(ref reader);
    }
}
