using Belfry.Log;
using Belfry.Scheduling;

namespace Belfry.Alerting.Planning;

/// <summary>Runs <c>planning.rule</c> tasks: tells the user's owner that a rule's time has come, and decides nothing.</summary>
public sealed class PlanningRuleHandler(IPartitionedLog log, Topics topics) : ITaskHandler
{
    public const string TimerKind = "planning.rule";

    public string Kind => TimerKind;

    /// <summary>Done once the feedback is durable; a repeat appends the same id.</summary>
    public async ValueTask<TaskOutcome> RunAsync(DueTask due, CancellationToken cancel)
    {
        RuleTimer timer;
        try
        {
            timer = PlanningWire.DecodeTimer(due.Task.Payload);
        }
        catch (FormatException fault)
        {
            return new TaskOutcome.Fail(fault.Message);
        }

        var feedback = new PlanningFeedback
        {
            Id = Id.Derive<EventId>(timer.IncidentId.Value, $"fired/{timer.UserId}/{timer.RuleId}/{timer.Epoch}"),
            UserId = timer.UserId,
            IncidentId = timer.IncidentId,
            Epoch = timer.Epoch,
            RuleId = timer.RuleId,
            At = due.Task.DueAt,
        };
        try
        {
            await log.AppendAsync(
                [
                    new OutgoingRecord
                    {
                        Topic = topics.PlanningFeedback.Name, OrderingKey = timer.UserId.ToString(), Value = PlanningWire.Encode(feedback),
                    },
                ],
                cancel);
        }
        catch (LogUnavailableException unavailable)
        {
            return new TaskOutcome.Retry(unavailable.Message, After: TimeSpan.FromSeconds(1));
        }

        return TaskOutcome.Success;
    }
}
