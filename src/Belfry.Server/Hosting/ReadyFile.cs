using System.Text.Json;
using System.Text.Json.Serialization;

namespace Belfry.Server.Hosting;

/// <summary>What a starter may want to know once the server serves. Holds secrets in demo mode, so only its owner may read it.</summary>
internal sealed record ReadyInfo(string Url, string? SetupUrl, string DataDir, string? AdminToken, string? IntegrationKey, string? MailDir);

internal static class ReadyFile
{
    /// <summary>Whole or not there at all.</summary>
    public static void Write(string path, ReadyInfo info)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var partial = $"{path}.{Environment.ProcessId}.tmp";
        using (var stream = new FileStream(partial, PrivateFiles.ForWriting))
            JsonSerializer.Serialize(stream, info, ReadyJson.Default.ReadyInfo);
        File.Move(partial, path, overwrite: true);
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReadyInfo))]
internal sealed partial class ReadyJson : JsonSerializerContext;
