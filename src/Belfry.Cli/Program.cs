using System.CommandLine;
using Belfry.Cli;
using Belfry.Cli.Commands;

var root = new RootCommand("Looks after a Belfry of the clustered shape. Ends with 0: done, 1: failed or something found, 2: misused.")
{
    MigrateCommand.Create(),
    new Command("topics", "Looks at the topics, and moves the tasks to another number of partitions.")
    {
        ListCommand.Create(), CheckCommand.Create(), RepartitionCommand.Create(),
    },
    WatchCommand.Create(),
};
return await CommandRun.RunAsync(root, args);
