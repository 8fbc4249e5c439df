using Microsoft.Extensions.Logging;

namespace Belfry.Log;

/// <summary>Cancelling for those who must go on after it.</summary>
internal static partial class Cancellations
{
    /// <summary>
    /// Cancels, and logs what callbacks threw: they belong to handlers and stores, which are given the token. Never throws.
    /// </summary>
    public static void CancelSafely(this CancellationTokenSource source, ILogger logger, string whose)
    {
        try
        {
            source.Cancel();
        }
        catch (Exception fault)
        {
            CallbackFailed(logger, fault, whose);
        }
    }

    [LoggerMessage(1051, LogLevel.Error, "A callback on a token of {Whose} threw as it was cancelled")]
    private static partial void CallbackFailed(ILogger logger, Exception fault, string whose);
}
