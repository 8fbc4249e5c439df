namespace Belfry.Local;

/// <summary>Files that hold secrets.</summary>
internal static class PrivateFile
{
    /// <summary>Whole or not there at all; only its owner can read it.</summary>
    public static void Write(string path, string text)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var partial = $"{path}.{Environment.ProcessId}.tmp";
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var writer = new StreamWriter(partial, options)) writer.Write(text);
        File.Move(partial, path, overwrite: true);
    }
}
