using System.Globalization;
using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// One generation of the topic that tasks are written to. A topic's partition count is for life; another count is another topic, the next
/// generation, and the store's rows stay as they are. Decision: one topic after another.
/// </summary>
/// <param name="Generation">From 1.</param>
/// <param name="Name">The full name, prefix included.</param>
/// <param name="Partitions">1 or more.</param>
/// <param name="IsRetired">True: nobody owns its partitions any more; what is still written to it is carried over.</param>
public sealed record TaskTopic(int Generation, string Name, int Partitions, bool IsRetired = false)
{
    private const int OffsetBits = 48;

    /// <summary>
    /// Where a record stands among all that ever came for a task: later generations after earlier ones, each by offset. Rows remember it,
    /// so that an older record changes nothing when it is read again. Of the first generation it is the offset itself.
    /// </summary>
    public static long PlaceOf(int generation, long offset) => ((long)(generation - 1) << OffsetBits) | offset;

    /// <summary>What the generation's topic, or its consumer group, is called.</summary>
    /// <param name="first">The name of the first one.</param>
    /// <param name="generation">From 1.</param>
    public static string NameOf(string first, int generation) =>
        generation == 1 ? first : string.Create(CultureInfo.InvariantCulture, $"{first}.g{generation}");
}
