namespace Belfry.Kafka.Tests;

/// <summary>What these tests need beside the code.</summary>
internal static class Native
{
    /// <summary>Skips the test where the native client could not be built.</summary>
    public static void Need()
    {
        try
        {
            Librdkafka.Check();
        }
        catch (InvalidOperationException fault)
        {
            SkipOrFail(fault.Message);
        }
    }

    public static void SkipOrFail(string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true") throw new InvalidOperationException(reason);
        Skip.If(true, reason);
    }
}
