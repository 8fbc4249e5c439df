using System.CommandLine;
using Belfry.Alerting;
using Belfry.Cli.Watching;
using Belfry.Kafka;
using Belfry.Log;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Cli.Commands;

/// <summary><c>belfry watch</c>: sees from outside what dead instances cannot tell.</summary>
internal static class WatchCommand
{
    private static readonly TimeSpan WebhookMax = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var config = CommandRun.ConfigOption();
        var once = new Option<bool>("--once")
        {
            Description =
                "look once: ends with 1 if anything is wrong. What shows only over time (a partition that stands still) is not seen",
        };
        var interval = Seconds("--interval", 10, 1, 3_600, "how often to look");
        var stuck = Seconds("--stuck-after", 60, 5, 86_400, "how long a committed offset may stand still while there is more to read");
        var alone = Seconds("--alone-after", 15, 0, 86_400, "how long a group with records to read may be without members; 0 with --once");
        var least = Number("--producers-least", 50, "fewer producers on the brokers are never an alarm");
        var factor = Number(
            "--producers-factor", 5,
            "alarm above so many times the usual number of producers: the least of the last hour, but for a tenth of the looks");
        var webhook = new Option<Uri?>("--webhook")
        {
            Description = "each finding is posted there as well, as the same JSON",
            HelpName = "URL",
            CustomParser = result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url;
                result.AddError($"--webhook: '{result.Tokens[0].Value}' is no http or https address.");
                return null;
            },
        };
        var command = new Command(
            "watch",
            "Watches groups, offsets and producers on the brokers. Writes one JSON line when something goes wrong and when it has ended.")
        {
            config, once, interval, stuck, alone, least, factor, webhook,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetValue(config), parsed.GetValue(once), TimeSpan.FromSeconds(parsed.GetValue(interval)),
            new WatchLimits
            {
                StuckAfter = TimeSpan.FromSeconds(parsed.GetValue(stuck)),
                AloneAfter = parsed.GetValue(once) ? TimeSpan.Zero : TimeSpan.FromSeconds(parsed.GetValue(alone)),
                ProducersLeast = parsed.GetValue(least),
                ProducersFactor = parsed.GetValue(factor),
            },
            parsed.GetValue(webhook), cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        FileInfo? config, bool once, TimeSpan interval, WatchLimits limits, Uri? webhook, CancellationToken cancel)
    {
        if (await CommandRun.ReadAsync(config) is not { } options) return CommandRun.Misused;
        var time = TimeProvider.System;
        using var brokers = KafkaInspector.Open(options.Kafka, NullLogger.Instance);
        using var http = new HttpClient { Timeout = WebhookMax };
        var reporter = new FindingReporter(Console.Out, Console.Error, webhook, http);
        var watch = new BrokerWatch(brokers, new Topics(options.Topics.Prefix, options.Topics.Partitions), time);
        var core = new WatchCore(limits);
        try
        {
            while (true)
            {
                var found = await LookAsync(watch, core, reporter, time, cancel);
                if (once) return found > 0 ? CommandRun.Failed : CommandRun.Done;
                await Task.Delay(interval, time, cancel);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ended by a signal: that is how a watch ends.
            return CommandRun.Done;
        }
    }

    /// <summary>One round; how many things are wrong.</summary>
    private static async Task<int> LookAsync(
        BrokerWatch watch, WatchCore core, FindingReporter reporter, TimeProvider time, CancellationToken cancel)
    {
        try
        {
            var snapshot = await watch.TakeAsync(Console.Error.WriteLine, cancel);
            var findings = core.Look(snapshot);
            await reporter.ReportAsync(findings, snapshot.At, isWhole: true, cancel);
            return findings.Count;
        }
        catch (LogUnavailableException fault)
        {
            var at = time.GetUtcNow();
            await reporter.ReportAsync([core.LookInVain(at, fault.Message)], at, isWhole: false, cancel);
            return 1;
        }
    }

    private static Option<int> Number(string name, int value, string description) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => value,
        Validators = { result => { if (result.GetValueOrDefault<int>() < 1) result.AddError($"{name}: 1 or more is needed."); } },
    };

    private static Option<int> Seconds(string name, int value, int least, int most, string description) => new(name)
    {
        Description = description + ", in seconds",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => value,
        Validators =
        {
            result =>
            {
                if (result.GetValueOrDefault<int>() is var given && (given < least || given > most))
                    result.AddError($"{name}: {least} to {most} is needed.");
            },
        },
    };
}
