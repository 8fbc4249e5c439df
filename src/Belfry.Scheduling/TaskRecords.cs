using Belfry.Log;

namespace Belfry.Scheduling;

/// <summary>
/// Builds the records of the <c>scheduled-tasks</c> topic without sending them, so that a caller can put them into an outbox.
/// Ordering key: the ordering id. Wire format: docs/topics.md.
/// </summary>
public static partial class TaskRecords
{
    public const string TopicBaseName = "scheduled-tasks";
}
