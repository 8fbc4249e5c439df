using System.Text;
using Belfry.Alerting.Events;

namespace Belfry.Simulation.Tests.World;

/// <summary>One alert's life as its source tells it, and how far it has come.</summary>
internal sealed class Story(string dedupKey, string routingKey, IReadOnlyList<string> actions)
{
    public string DedupKey => dedupKey;
    public string RoutingKey => routingKey;
    public IReadOnlyList<string> Actions => actions;
    public int Done { get; set; }

    /// <summary>Attempts that got no clear yes: each may still have been taken in, at once or later.</summary>
    public int Unclear { get; set; }
    public Dictionary<string, int> Accepted { get; } = new(StringComparer.Ordinal);

    /// <summary>Attempts so far; each carries its number.</summary>
    public int Sent { get; set; }

    /// <summary>Attempts that were answered with a yes before the next one was sent.</summary>
    public List<int> AcceptedAttempts { get; } = [];

    /// <summary>Incidents that the story makes by itself: one for each run of triggers up to a resolve.</summary>
    public int Incidents => actions.Where((action, i) => action == "trigger" && (i == 0 || actions[i - 1] == "resolve")).Count();
    public bool EndsResolved => actions[^1] == "resolve";
}

/// <summary>Monitoring tools: each tells its alert's story in order and repeats what was not answered with a yes.</summary>
internal sealed class Sender(AlertingWorld world)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);

    public List<Story> Stories { get; } = [];

    public void Start()
    {
        var random = world.World.Random;
        var isHasty = world.Weather == Weather.LateLog;
        for (var i = 0; i < 8; i++)
        {
            var actions = new List<string> { "trigger" };
            for (var more = isHasty ? 12 : random.Next(4); more > 0; more--)
                actions.Add(random.Next(3) == 0 || actions[^1] == "resolve" ? "trigger" : "resolve");
            var story = new Story($"alert-{i}", world.State.RoutingKeys[i % world.State.RoutingKeys.Count], actions);
            Stories.Add(story);
            world.World.After(TimeSpan.FromSeconds(5 + random.Next(180)), $"{story.DedupKey} begins", () => Next(story));
        }
    }

    private void Next(Story story)
    {
        if (story.Done == story.Actions.Count) return;
        var answered = false;
        var action = story.Actions[story.Done];
        if (world.AnyServing() is not { } node)
        {
            world.World.After(TimeSpan.FromSeconds(2), "nobody answers", () => Next(story));
            return;
        }

        var attempt = ++story.Sent;
        node.Accept(Body(story, action), result =>
        {
            if (answered)
            {
                return;
            }

            answered = true;
            if (result is AcceptResult.Accepted)
            {
                story.Accepted[action] = story.Accepted.GetValueOrDefault(action) + 1;
                story.AcceptedAttempts.Add(attempt);
                story.Done++;
                var pause = world.Weather == Weather.LateLog
                    ? TimeSpan.FromMilliseconds(world.World.Random.Next(200))
                    : TimeSpan.FromSeconds(1 + world.World.Random.Next(60));
                world.World.After(pause, $"{story.DedupKey} goes on", () => Next(story));
                return;
            }

            if (result is not AcceptResult.Unavailable) world.Observer.Violated("A1", $"a sound event was refused: {result}");
            story.Unclear++;
            world.World.After(TimeSpan.FromSeconds(3), $"{story.DedupKey} again", () => Next(story));
        });
        world.World.After(Patience, "patience", () =>
        {
            if (answered) return;
            answered = true;
            story.Unclear++;
            Next(story);
        });
    }

    private static byte[] Body(Story story, string action) => Encoding.UTF8.GetBytes($$$"""
        {"routing_key":"{{{story.RoutingKey}}}","event_action":"{{{action}}}","dedup_key":"{{{story.DedupKey}}}",
         "payload":{"summary":"{{{story.DedupKey}}} is bad #{{{story.Sent}}}","source":"simulator","severity":"critical"}}
        """);
}
