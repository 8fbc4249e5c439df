using System.Diagnostics;
using Belfry.Rig;

namespace Belfry.Drill.Topology;

/// <summary>
/// The folder of what runs only for the drills, and the ids of the processes in it. A shell reads from us: when we are gone, however that
/// came, it ends them by these ids and removes the folder.
/// </summary>
internal sealed class Children : IDisposable
{
    private readonly Process _guard;

    public Children()
    {
        Folder = Directory.CreateDirectory(Path.Combine(Memory() ?? Path.GetTempPath(), $"belfry-drill-{Guid.NewGuid():N}")).FullName;
        Directory.CreateDirectory(Path.Combine(Folder, "pids"));
        // PostgreSQL, which does not run as root, has its folder in it.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Folder, File.GetUnixFileMode(Folder) | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        // A broker's own file of its id, PostgreSQL's, and ours: first lines that are numbers.
        _guard = Process.Start(new ProcessStartInfo("setsid",
        [
            "sh", "-c", """
                cat >/dev/null
                for file in "$1"/pids/* "$1"/kafka/broker-*/pid "$1"/postgres/data/postmaster.pid; do
                    [ -f "$file" ] && pid=$(head -n 1 "$file") && kill -CONT "$pid" && kill -KILL "$pid"
                done 2>/dev/null
                sleep 1
                rm -rf "$1"
                """, "guard", Folder,
        ]) { RedirectStandardInput = true })!;
    }

    public string Folder { get; }

    /// <summary>
    /// A file system in memory where there is one with room, for what is killed are processes, never the machine. On a disk each sync of
    /// brokers waits for whatever else is written there: seconds, in which the controllers elect one another in turns.
    /// </summary>
    private static string? Memory()
    {
        const string Shared = "/dev/shm";
        const long RoomMin = 4L << 30;
        return Directory.Exists(Shared) && new DriveInfo(Shared).AvailableFreeSpace >= RoomMin ? Shared : null;
    }

    public void Add(string name, int pid) => File.WriteAllText(Path.Combine(Folder, "pids", name), $"{pid}\n");

    public void Remove(string name) => File.Delete(Path.Combine(Folder, "pids", name));

    /// <summary>Ends all that is left.</summary>
    public void Dispose()
    {
        _guard.StandardInput.Close();
        _guard.WaitForExit(TimeSpan.FromSeconds(20));
        _guard.Dispose();
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>What it wrote.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it said.</exception>
    public static async Task<string> RunAsync(string folder, IReadOnlyDictionary<string, string> settings, params string[] command)
    {
        // By files and not by pipes: what it leaves running would hold a pipe open.
        var said = Path.Combine(Path.GetTempPath(), $"belfry-drill-said-{Guid.NewGuid():N}");
        const string Quietly = "out=$1; shift; exec \"$@\" >\"$out\" 2>\"$out.err\" </dev/null";
        var start = new ProcessStartInfo("sh", ["-c", Quietly, "run", said, .. command])
        {
            WorkingDirectory = folder,
        };
        foreach (var (name, value) in settings) start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            await process.WaitForExitAsync();
            return process.ExitCode == 0
                ? await File.ReadAllTextAsync(said)
                : throw new InvalidOperationException(
                    $"'{string.Join(' ', command)}' ended with {process.ExitCode}: {await File.ReadAllTextAsync(said + ".err")}");
        }
        finally
        {
            File.Delete(said);
            File.Delete(said + ".err");
        }
    }

    public static void Signal(int pid, int signal) => UnixSignal.Send(pid, signal);
}
