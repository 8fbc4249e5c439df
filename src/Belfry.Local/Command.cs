using System.Diagnostics;

namespace Belfry.Local;

/// <summary>Programs that are run to their end.</summary>
internal static class Command
{
    private const int TailLines = 8;

    /// <summary>
    /// Runs it. Its output is added to a file: what it leaves running would keep a pipe of ours open. Its working directory is the root,
    /// for PostgreSQL's programs want one that their user may enter.
    /// </summary>
    /// <exception cref="InvalidOperationException">It ended with another status than 0; tells the end of the file.</exception>
    public static async Task RunAsync(
        string logFile, IReadOnlyList<string> command, CancellationToken cancel, params (string Name, string Value)[] environment)
    {
        var status = await StatusAsync(logFile, command, cancel, environment);
        if (status == 0) return;
        var tail = File.Exists(logFile) ? string.Join('\n', (await File.ReadAllLinesAsync(logFile, cancel)).TakeLast(TailLines)) : "";
        throw new InvalidOperationException($"'{string.Join(' ', command)}' ended with {status}; the end of '{logFile}':\n{tail}");
    }

    /// <summary>Its status; nothing of what it says.</summary>
    public static Task<int> StatusAsync(IReadOnlyList<string> command, CancellationToken cancel) =>
        StatusAsync("/dev/null", command, cancel);

    /// <summary>What it wrote, whatever its status.</summary>
    public static async Task<string> OutputAsync(IReadOnlyList<string> command, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        var output = await process.StandardOutput.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return output;
    }

    private static async Task<int> StatusAsync(
        string logFile, IReadOnlyList<string> command, CancellationToken cancel, params (string Name, string Value)[] environment)
    {
        string[] shell = ["-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", logFile, .. command];
        var start = new ProcessStartInfo("/bin/sh", shell) { WorkingDirectory = "/" };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(cancel);
        return process.ExitCode;
    }
}
