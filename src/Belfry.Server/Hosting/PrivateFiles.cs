using System.Security.Cryptography;

namespace Belfry.Server.Hosting;

/// <summary>Files that only the server's own user may read.</summary>
internal static class PrivateFiles
{
    public static FileStreamOptions ForWriting
    {
        get
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return options;
        }
    }

    public static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>A key that is made at the first start and stays: whole or not there.</summary>
    public static byte[] KeyAt(string path, int bytes)
    {
        if (File.Exists(path))
        {
            var key = File.ReadAllBytes(path);
            return key.Length == bytes
                ? key
                : throw new InvalidOperationException(
                    $"'{path}' has {key.Length} bytes, a key has {bytes}; restore it. " +
                    "Removed, it is made anew, and what it signed or sealed is lost.");
        }

        var made = RandomNumberGenerator.GetBytes(bytes);
        var partial = $"{path}.{Environment.MachineName}.{Environment.ProcessId}.tmp";
        using (var stream = new FileStream(partial, ForWriting))
        {
            stream.Write(made);
            stream.Flush(flushToDisk: true);
        }

        try
        {
            File.Move(partial, path, overwrite: false);
            return made;
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another instance that shares the folder was first.
            File.Delete(partial);
            return KeyAt(path, bytes);
        }
    }
}
