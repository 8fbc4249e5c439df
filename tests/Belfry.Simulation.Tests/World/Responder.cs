using System.Text.RegularExpressions;
using Belfry.Deliveries;

namespace Belfry.Simulation.Tests.World;

/// <summary>People: some press the link in the mail after a while, and again until they are answered.</summary>
internal sealed partial class Responder
{
    private readonly AlertingWorld _world;

    public Responder(AlertingWorld world)
    {
        _world = world;
        world.Observer.OnMail = Read;
    }

    /// <summary>Acknowledgements that were answered.</summary>
    public int Acknowledged { get; private set; }

    private void Read(Delivery mail)
    {
        if (_world.World.Random.Next(3) == 0) return;
        var token = Link().Match(EmailContent.Decode(mail.Content).Text).Groups[1].Value;
        if (token.Length == 0) _world.Observer.Violated("C1", "a mail without its link");
        else _world.World.After(TimeSpan.FromSeconds(_world.World.Random.Next(150)), "a link is pressed", () => Press(token, 0));
    }

    private void Press(string token, int tries)
    {
        if (tries == 10) return;
        var answered = false;
        _world.AnyServing()?.PressAcknowledge(token, () =>
        {
            if (!answered) Acknowledged++;
            answered = true;
        });
        _world.World.After(TimeSpan.FromSeconds(10), "pressed again", () =>
        {
            if (!answered) Press(token, tries + 1);
        });
    }

    [GeneratedRegex(@"/ack/([A-Za-z0-9_\-]+)")]
    private static partial Regex Link();
}
