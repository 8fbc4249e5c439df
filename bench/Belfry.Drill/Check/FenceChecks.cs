namespace Belfry.Drill.Check;

/// <summary>Epochs and positions in the store only grow: one that falls was written by an owner whose time was over (B3).</summary>
internal static class FenceChecks
{
    public static void Check(DrillHistory history, Verdict verdict)
    {
        foreach (var fence in history.Fences.GroupBy(sample => (sample.Scope, sample.Source)))
        {
            FenceSample? former = null;
            foreach (var sample in fence.OrderBy(sample => sample.AtNs))
            {
                if (former is not null && sample.Value < former.Value)
                    verdict.Add(
                        FindingKind.StaleWrite,
                        $"'{sample.Source}' of '{sample.Scope}' fell from {former.Value} to {sample.Value} " +
                        $"at {sample.AtNs / 1_000_000} ms.");
                former = sample;
            }
        }

        verdict.Figure("fence.samples", history.Fences.Count);
    }
}
