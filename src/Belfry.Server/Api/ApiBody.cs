using System.Globalization;
using System.Text.Json;
using Belfry.Alerting;

namespace Belfry.Server.Api;

/// <summary>
/// A request's body, read by hand: fields are asked for one by one, faults are gathered, and one answer names them all. Never throws for
/// what a sender can put into a body. Limits: 1 MiB, depth 32.
/// </summary>
internal sealed class ApiBody
{
    private const int BytesMax = 1024 * 1024;
    private readonly JsonElement _at;
    private readonly string _path;

    private ApiBody(JsonElement at, string path, List<string> faults)
    {
        _at = at;
        _path = path;
        Faults = faults;
    }

    /// <summary>One sentence for each fault so far; shared with nested bodies.</summary>
    public List<string> Faults { get; }

    /// <summary>The refusal when there are faults, else null. Ask once all fields are read.</summary>
    public IResult? Refused => Faults.Count == 0 ? null : ApiErrors.Invalid(Faults);

    /// <summary>Reads <c>{"<paramref name="wrapper"/>": {…}}</c>; the second of the pair is the refusal when it is not that.</summary>
    public static async Task<(ApiBody Body, IResult? Refusal)> ReadAsync(HttpRequest request, string wrapper)
    {
        var (root, refusal) = await ReadRootAsync(request);
        if (refusal is not null) return (root, refusal);
        var inner = root.Object(wrapper, required: true);
        return inner is null ? (root, root.Refused) : (inner, null);
    }

    /// <summary>Reads a body that is an object without wrapper.</summary>
    public static async Task<(ApiBody Body, IResult? Refusal)> ReadRootAsync(HttpRequest request)
    {
        var bytes = await BytesAsync(request);
        if (bytes is null)
            return (Empty, ApiErrors.Of(413, ApiErrors.InvalidInput, "Payload Too Large", [$"The body is larger than {BytesMax} bytes."]));
        var body = Parse(bytes.Value);
        return (body, body.Refused);
    }

    internal static ApiBody Parse(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Span.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = 32 });
            var root = document.RootElement.Clone();
            if (root.ValueKind != JsonValueKind.Object) return Fault("The body is no JSON object.");
            return Readable(root) ? new ApiBody(root, "", []) : Fault("The body holds text that is no Unicode, or a NUL character.");
        }
        catch (JsonException fault)
        {
            return Fault($"The body is no JSON (line {fault.LineNumber + 1}, byte {fault.BytePositionInLine}).");
        }
    }

    private static ApiBody Empty => new(default, "", []);

    private static ApiBody Fault(string fault) => new(default, "", [fault]);

    /// <summary>A text, trimmed; null when absent or null.</summary>
    public string? Text(string name, bool required = false, int max = 255)
    {
        if (!Find(name, required, out var value)) return null;
        if (value.ValueKind != JsonValueKind.String) return Wrong<string>(name, "is no text");
        var text = value.GetString()!.Trim();
        if (required && text.Length == 0) return Wrong<string>(name, "is empty");
        return text.Length > max ? Wrong<string>(name, $"has {text.Length} characters, at most {max} are taken") : text;
    }

    public int? Number(string name, bool required = false, int min = 0, int max = int.MaxValue)
    {
        if (!Find(name, required, out var value)) return null;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var number) || number < min || number > max)
            Faults.Add($"{_path}{name} is no whole number from {min} to {max}.");
        else
            return number;
        return null;
    }

    public bool? Flag(string name)
    {
        if (!Find(name, false, out var value)) return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) return value.GetBoolean();
        Faults.Add($"{_path}{name} is neither true nor false.");
        return null;
    }

    /// <summary>One of the texts, as the value beside it.</summary>
    public T? Choice<T>(string name, bool required, params ReadOnlySpan<(string Text, T Value)> choices) where T : struct
    {
        if (Text(name, required) is not { } text) return null;
        List<string> known = [];
        foreach (var (candidate, value) in choices)
        {
            if (candidate == text) return value;
            known.Add($"'{candidate}'");
        }

        Faults.Add($"{_path}{name} is none of {string.Join(", ", known)}.");
        return null;
    }

    /// <summary>An instant in ISO 8601; without an offset it counts as UTC. Years 2000 to 2200.</summary>
    public DateTimeOffset? Instant(string name, bool required = false)
    {
        if (Text(name, required) is not { } text) return null;
        if (ApiTime.TryRead(text, out var at)) return at;
        Faults.Add($"{_path}{name} is no ISO 8601 time between the years 2000 and 2200.");
        return null;
    }

    /// <summary>The id inside a reference such as <c>{"id":"…","type":"user_reference"}</c>, or a bare id.</summary>
    public T? Reference<T>(string name, bool required = false) where T : struct, IId<T>
    {
        if (!Find(name, required, out var value)) return null;
        var text = value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Object when value.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String => id.GetString(),
            _ => null,
        };
        if (Id.TryParse<T>(text, out var parsed)) return parsed;
        Faults.Add($"{_path}{name} names no id of 32 hexadecimal digits.");
        return null;
    }

    public ApiBody? Object(string name, bool required = false)
    {
        if (!Find(name, required, out var value)) return null;
        if (value.ValueKind == JsonValueKind.Object) return new ApiBody(value, $"{_path}{name}.", Faults);
        Faults.Add($"{_path}{name} is no object.");
        return null;
    }

    /// <summary>The objects of an array; null when absent. Others than objects are faults.</summary>
    public IReadOnlyList<ApiBody>? Objects(string name, bool required = false, int max = 250)
    {
        if (!Find(name, required, out var value)) return null;
        if (value.ValueKind != JsonValueKind.Array) return Wrong<IReadOnlyList<ApiBody>>(name, "is no array");
        if (value.GetArrayLength() > max)
            return Wrong<IReadOnlyList<ApiBody>>(name, $"has {value.GetArrayLength()} entries, at most {max} are taken");
        List<ApiBody> items = [];
        foreach (var (index, item) in value.EnumerateArray().Index())
            if (item.ValueKind == JsonValueKind.Object) items.Add(new ApiBody(item, $"{_path}{name}[{index}].", Faults));
            else Faults.Add($"{_path}{name}[{index}] is no object.");
        return items;
    }

    public bool Has(string name) => _at.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>True when the field is there and null: it is to be cleared.</summary>
    public bool IsNull(string name) => _at.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null;

    public void AddFault(string name, string what) => Faults.Add($"{_path}{name} {what}.");

    private T? Wrong<T>(string name, string what) where T : class
    {
        AddFault(name, what);
        return null;
    }

    private bool Find(string name, bool required, out JsonElement value)
    {
        if (_at.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null) return true;
        if (required) Faults.Add($"{_path}{name} is missing.");
        return false;
    }

    private static async Task<ReadOnlyMemory<byte>?> BytesAsync(HttpRequest request)
    {
        if (request.ContentLength > BytesMax) return null;
        using var all = new MemoryStream();
        var part = new byte[16 * 1024];
        int read;
        while ((read = await request.Body.ReadAsync(part, request.HttpContext.RequestAborted)) > 0)
        {
            if (all.Length + read > BytesMax) return null;
            all.Write(part, 0, read);
        }

        return all.GetBuffer().AsMemory(0, (int)all.Length);
    }

    // A lone surrogate passes the parser and fails on use, so each text is looked at once.
    private static bool Readable(JsonElement element)
    {
        try
        {
            return element.ValueKind switch
            {
                JsonValueKind.String => !element.GetString()!.Contains('\0', StringComparison.Ordinal),
                JsonValueKind.Array => element.EnumerateArray().All(Readable),
                JsonValueKind.Object =>
                    element.EnumerateObject().All(p => !p.Name.Contains('\0', StringComparison.Ordinal) && Readable(p.Value)),
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}

/// <summary>Instants as the API reads and writes them.</summary>
internal static class ApiTime
{
    public static bool TryRead(string? text, out DateTimeOffset at) =>
        DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out at)
        && at.Year is >= 2000 and <= 2200;

    /// <summary>UTC, whole seconds, <c>Z</c>.</summary>
    public static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string? Text(DateTimeOffset? at) => at is { } value ? Text(value) : null;
}
