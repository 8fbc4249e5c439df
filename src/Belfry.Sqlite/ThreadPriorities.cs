using System.Runtime.InteropServices;

namespace Belfry.Sqlite;

/// <summary>How the system shares out its processors when all are busy. .NET sets no priorities on Linux.</summary>
internal static class ThreadPriorities
{
    // About a third of the share of a thread that was not lowered.
    private const int LowerNice = 5;

    /// <summary>The calling thread steps back behind others for as long as it lives.</summary>
    public static void StepBack()
    {
        // On Linux "the calling process" is the calling thread (setpriority(2), notes). Refused: it runs on as before.
        if (OperatingSystem.IsLinux()) _ = SetPriority(0, 0, LowerNice);
        else Thread.CurrentThread.Priority = ThreadPriority.BelowNormal;
    }

    [DllImport("libc", EntryPoint = "setpriority")]
    private static extern int SetPriority(int which, uint who, int nice);
}
