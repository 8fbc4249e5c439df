namespace Belfry.Local.Services;

/// <summary>Where the programs of the services are.</summary>
internal static class Programs
{
    /// <summary>The full path of a program on the PATH; null: none.</summary>
    public static string? OnPath(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>The folder with PostgreSQL's own programs, which Debian keeps off the PATH; the newest of several.</summary>
    public static string? PostgresFolder()
    {
        const string Debian = "/usr/lib/postgresql";
        var versions = Directory.Exists(Debian)
            ? Directory.GetDirectories(Debian).OrderByDescending(folder => double.TryParse(
                Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture, out var version) ? version : 0)
            : Enumerable.Empty<string>();
        string?[] folders = [.. versions.Select(folder => Path.Combine(folder, "bin")), Path.GetDirectoryName(OnPath("initdb"))];
        return folders.FirstOrDefault(folder => File.Exists($"{folder}/initdb") && File.Exists($"{folder}/pg_ctl"));
    }

    /// <summary>The script that runs Kafka: below BELFRY_SHARED, or in <c>shared</c> beside this folder or one above it.</summary>
    public static string? KafkaScript()
    {
        var places = new List<string>();
        if (Environment.GetEnvironmentVariable("BELFRY_SHARED") is { Length: > 0 } shared) places.Add(shared);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            places.Add(Path.Combine(folder.FullName, "shared"));
        return places.Select(place => Path.Combine(place, "kafka", "kafka")).FirstOrDefault(File.Exists);
    }
}
