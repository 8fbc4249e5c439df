using Confluent.Kafka;

namespace Belfry.Kafka;

/// <summary>
/// The native client beside the program. An old one fails only at the first consume, for its functions are bound when first called: so its
/// version is asked for at the start.
/// </summary>
internal static class Librdkafka
{
    private const int Least = 0x020c0000;

    /// <exception cref="InvalidOperationException">Not there, or too old.</exception>
    public static void Check()
    {
        try
        {
            Check(Library.Version, Library.VersionString);
        }
        catch (Exception fault) when (fault is DllNotFoundException or TypeInitializationException or EntryPointNotFoundException)
        {
            throw new InvalidOperationException(
                "Kafka's native client, librdkafka, cannot be loaded: put librdkafka.so 2.12 or later beside the program (./dev test " +
                "builds it, and builds after that copy it), or build with -p:UseLibrdkafkaRedist=true.", fault);
        }
    }

    internal static void Check(int version, string name)
    {
        if (version < Least)
            throw new InvalidOperationException(
                $"Kafka's native client, librdkafka, is of version {name}, and 2.12 or later is needed: an older one can append but not " +
                "consume. Put a newer librdkafka.so beside the program.");
    }
}
