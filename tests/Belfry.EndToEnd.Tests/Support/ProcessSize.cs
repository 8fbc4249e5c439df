namespace Belfry.EndToEnd.Tests.Support;

/// <summary>What a process holds, by what Linux says of it.</summary>
/// <param name="Descriptors">Open files, sockets among them.</param>
/// <param name="Sockets">Open sockets.</param>
/// <param name="Threads">Threads.</param>
/// <param name="ResidentMiB">Memory in use.</param>
internal sealed record ProcessSize(int Descriptors, int Sockets, int Threads, long ResidentMiB)
{
    public static ProcessSize Of(int process)
    {
        var targets = Directory.GetFiles($"/proc/{process}/fd").Select(TargetOf).OfType<string>().ToList();
        var status = File.ReadAllLines($"/proc/{process}/status");
        return new ProcessSize(
            targets.Count, targets.Count(target => target.StartsWith("socket:", StringComparison.Ordinal)),
            (int)Number(status, "Threads:"), Number(status, "VmRSS:") / 1_024);
    }

    private static string? TargetOf(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget;
        }
        catch (IOException)
        {
            // Closed meanwhile.
            return null;
        }
    }

    // A line reads "VmRSS:	   1234 kB".
    private static long Number(string[] status, string name) => long.Parse(
        status.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..]
            .Replace("kB", "", StringComparison.Ordinal).Trim());
}
