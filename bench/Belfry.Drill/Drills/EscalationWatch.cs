namespace Belfry.Drill.Drills;

/// <summary>Incidents that wait a minute for their second level, through whatever drills run meanwhile: a history of their own.</summary>
internal static class EscalationWatch
{
    /// <summary>Of its dedup keys.</summary>
    public const string Prefix = "esc-";
}
