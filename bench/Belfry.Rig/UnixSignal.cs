using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Belfry.Rig;

/// <summary>Signals to processes that this program started.</summary>
internal static partial class UnixSignal
{
    public const int Kill = 9, Term = 15, Continue = 18, Stop = 19;

    /// <exception cref="Win32Exception">There is no such process.</exception>
    public static void Send(int process, int signal)
    {
        if (SendSignal(process, signal) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), $"kill -{signal} {process}");
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
