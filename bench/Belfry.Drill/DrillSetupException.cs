namespace Belfry.Drill;

/// <summary>Something that the drills need is not on this machine; the message says how to get it.</summary>
internal sealed class DrillSetupException(string message) : Exception(message);
