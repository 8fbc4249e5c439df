using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting;

/// <summary>The topics of design section 2, each declared once. Values: JSON with a <c>version</c>, docs/topics.md.</summary>
public sealed class Topics
{
    /// <param name="prefix">Put before every name; empty or ending in a separator of the user's choice.</param>
    /// <param name="partitions">Partition count of all topics; those that are read together must share it.</param>
    /// <param name="tasks">All generations of <c>scheduled-tasks</c>, oldest first; null or empty: there is only the first.</param>
    public Topics(string prefix = "", int partitions = 12, IReadOnlyList<TaskTopic>? tasks = null)
    {
        var current = tasks?.LastOrDefault(topic => !topic.IsRetired) ?? new TaskTopic(1, prefix + "scheduled-tasks", partitions);
        TopicDeclaration OfTasks(TaskTopic topic) => new(topic.Name, topic.Partitions, CleanUp.Time, TimeSpan.FromDays(7));
        TopicDeclaration Timed(string name, int days) => new(prefix + name, partitions, CleanUp.Time, TimeSpan.FromDays(days));
        TopicDeclaration Compacted(string name) => new(prefix + name, partitions, CleanUp.Compact, TimeSpan.FromDays(7));
        Prefix = prefix;
        IncomingEvents = Timed("incoming-events", 7);
        FailedEvents = Timed("failed-events", 30);
        IncidentCommands = Timed("incident-commands", 7);
        PlanningAssignments = Compacted("planning-assignments");
        PlanningContactRules = Compacted("planning-contact-rules");
        PlanningFeedback = Timed("planning-feedback", 7);
        ScheduledTasks = OfTasks(current);
        ScheduledTasksGeneration = current.Generation;
        RetiredScheduledTasks = [.. (tasks ?? []).Where(topic => topic.IsRetired).Select(topic => (OfTasks(topic), topic.Generation))];
        Notifications = Timed("notifications", 7);
        NotificationsDeadLetters = Timed("notifications-dlq", 90);
        IncidentLog = Timed("incident-log", 3650);
    }

    public string Prefix { get; }
    public TopicDeclaration IncomingEvents { get; }
    public TopicDeclaration FailedEvents { get; }
    public TopicDeclaration IncidentCommands { get; }
    public TopicDeclaration PlanningAssignments { get; }
    public TopicDeclaration PlanningContactRules { get; }
    public TopicDeclaration PlanningFeedback { get; }
    public TopicDeclaration ScheduledTasks { get; }
    public int ScheduledTasksGeneration { get; }

    /// <summary>Topics that tasks were written to before, oldest first.</summary>
    public IReadOnlyList<(TopicDeclaration Topic, int Generation)> RetiredScheduledTasks { get; }
    public TopicDeclaration Notifications { get; }
    public TopicDeclaration NotificationsDeadLetters { get; }
    public TopicDeclaration IncidentLog { get; }

    public IReadOnlyList<TopicDeclaration> All =>
    [
        IncomingEvents, FailedEvents, IncidentCommands, PlanningAssignments, PlanningContactRules, PlanningFeedback,
        ScheduledTasks, Notifications, NotificationsDeadLetters, IncidentLog, .. RetiredScheduledTasks.Select(retired => retired.Topic),
    ];

    /// <summary>The consumer group that owns a generation of <c>scheduled-tasks</c>.</summary>
    public string SchedulerGroup(int generation) => TaskTopic.NameOf(Prefix + "scheduler", generation);
}
