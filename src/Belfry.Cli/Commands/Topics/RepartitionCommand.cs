using System.CommandLine;

namespace Belfry.Cli.Commands;

/// <summary><c>belfry topics repartition</c>.</summary>
internal static class RepartitionCommand
{
    private const int PartitionsMax = 1_024;

    public static Command Create()
    {
        var config = CommandRun.ConfigOption();
        var topic = new Argument<string>("TOPIC") { Description = "scheduled-tasks, the only topic whose state is in the store" };
        topic.AcceptOnlyFromAmong("scheduled-tasks");
        var partitions = new Option<int>("--partitions")
        {
            Description = $"of the new topic, 1 to {PartitionsMax}",
            HelpName = "N",
            Required = true,
            Validators =
            {
                result =>
                {
                    if (result.GetValueOrDefault<int>() is < 1 or > PartitionsMax)
                        result.AddError($"--partitions: 1 to {PartitionsMax} is needed.");
                },
            },
        };
        var wait = new Option<int>("--wait")
        {
            Description = "how long the scheduler's group may still have members, in seconds: those of instances that were stopped",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 30,
        };
        // A place to kill this process at, for tests.
        var halt = new Option<string?>("--halt-after") { Hidden = true };
        var command = new Command(
            "repartition",
            "Moves the scheduler to a new topic with another number of partitions. Stop the instances that run tasks first; those that " +
            "only write them may go on. Safe to repeat, wherever it was cut off.")
        {
            topic, config, partitions, wait, halt,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetValue(config), parsed.GetValue(partitions), TimeSpan.FromSeconds(parsed.GetValue(wait)), parsed.GetValue(halt),
            cancel));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo? config, int partitions, TimeSpan wait, string? halt, CancellationToken cancel)
    {
        if (await CommandRun.ReadAsync(config) is not { } options) return CommandRun.Misused;
        var now = await new TaskRepartition(options, async (step, stop) =>
        {
            await Console.Out.WriteLineAsync($"{step}.");
            if (step == halt) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop);
        }).RunAsync(partitions, wait, cancel);
        await Console.Out.WriteLineAsync(
            $"Tasks are in '{now.Name}' with {now.Partitions} partitions, for all instances that start from now on.");
        return CommandRun.Done;
    }
}
