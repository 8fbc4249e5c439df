namespace Belfry.Sqlite.Tests;

/// <summary>A folder of one test, removed with it.</summary>
internal sealed class TempFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("belfry-sqlite-");

    public string File => Path.Combine(_folder.FullName, "belfry.db");

    public void Dispose() => _folder.Delete(recursive: true);
}
