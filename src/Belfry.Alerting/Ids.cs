using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Alerting;

// Every id is a Guid; its one text form, in URLs, JSON, keys and tables, is 32 lower-case hexadecimal digits.

[JsonConverter(typeof(IdConverter<EventId>))]
public readonly record struct EventId(Guid Value) : IId<EventId>
{
    public static EventId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<IncidentId>))]
public readonly record struct IncidentId(Guid Value) : IId<IncidentId>
{
    public static IncidentId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<AlertId>))]
public readonly record struct AlertId(Guid Value) : IId<AlertId>
{
    public static AlertId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<NotificationId>))]
public readonly record struct NotificationId(Guid Value) : IId<NotificationId>
{
    public static NotificationId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<UserId>))]
public readonly record struct UserId(Guid Value) : IId<UserId>
{
    public static UserId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<ContactMethodId>))]
public readonly record struct ContactMethodId(Guid Value) : IId<ContactMethodId>
{
    public static ContactMethodId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<NotificationRuleId>))]
public readonly record struct NotificationRuleId(Guid Value) : IId<NotificationRuleId>
{
    public static NotificationRuleId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<ServiceId>))]
public readonly record struct ServiceId(Guid Value) : IId<ServiceId>
{
    public static ServiceId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<IntegrationId>))]
public readonly record struct IntegrationId(Guid Value) : IId<IntegrationId>
{
    public static IntegrationId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<PolicyId>))]
public readonly record struct PolicyId(Guid Value) : IId<PolicyId>
{
    public static PolicyId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

[JsonConverter(typeof(IdConverter<ScheduleId>))]
public readonly record struct ScheduleId(Guid Value) : IId<ScheduleId>
{
    public static ScheduleId Of(Guid value) => new(value);
    public override string ToString() => Value.ToString("N");
}

/// <summary>What all ids share: a Guid inside, one text form.</summary>
public interface IId<TSelf> where TSelf : struct, IId<TSelf>
{
    Guid Value { get; }
    static abstract TSelf Of(Guid value);
}

/// <summary>Makes, derives and reads ids.</summary>
public static class Id
{
    /// <summary>
    /// An id that follows from another: the same parent and label always give the same id, so cores need no id source and repeats
    /// meet what they made before. Keeps the parent's 48 time bits (UUIDv7), the rest is SHA-256 of parent and label.
    /// </summary>
    public static T Derive<T>(Guid parent, string label) where T : struct, IId<T>
    {
        Span<byte> input = stackalloc byte[16 + Encoding.UTF8.GetMaxByteCount(label.Length)];
        parent.TryWriteBytes(input, bigEndian: true, out _);
        var length = 16 + Encoding.UTF8.GetBytes(label, input[16..]);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(input[..length], hash);
        input[..6].CopyTo(hash);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x70);
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return T.Of(new Guid(hash[..16], bigEndian: true));
    }

    /// <summary>The UTC time in the id's first 48 bits.</summary>
    public static DateTimeOffset TimeOf(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var ms = 0L;
        for (var i = 0; i < 6; i++) ms = (ms << 8) | bytes[i];
        return DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(ms, 253402300799999));
    }

    /// <summary>The text that those ids (UUIDv7) are not below which were made at the time, Unix milliseconds, or later.</summary>
    internal static string FirstOf(long unixMilliseconds) => unixMilliseconds.ToString("x12", CultureInfo.InvariantCulture);

    /// <summary>Reads the text form; false for anything else.</summary>
    public static bool TryParse<T>([NotNullWhen(true)] string? text, out T id) where T : struct, IId<T>
    {
        var ok = Guid.TryParseExact(text, "N", out var value);
        id = T.Of(value);
        return ok;
    }

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static T Parse<T>(string text) where T : struct, IId<T> =>
        TryParse<T>(text, out var id) ? id : throw new FormatException($"'{text}' is no id: 32 hexadecimal digits are expected.");
}

internal sealed class IdConverter<T> : JsonConverter<T> where T : struct, IId<T>
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Id.TryParse<T>(reader.GetString(), out var id) ? id : throw new JsonException("An id of 32 hexadecimal digits is expected.");

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Value.ToString("N"));

    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Id.Parse<T>(reader.GetString()!);

    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.Value.ToString("N"));
}
