using Belfry.Drill.Check;
using Belfry.Drill.Load;
using Belfry.Drill.Reading;

namespace Belfry.Drill.Tests;

public class HistoryFilesTests
{
    [Fact]
    public async Task What_was_written_is_what_is_checked()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-history-").FullName;
        var sound = SoundHistory.Make();
        await using (var writer = new HistoryWriter(Path.Combine(folder, HistoryFiles.History), new DrillClock()))
        {
            writer.End(writer.Invoke("p1", "n1/0", Operation.Trigger, "k", 1), Outcome.Ok, "202");
            writer.Invoke("p1", "n2/0", Operation.Snooze, "k", 2, 1_500);
            writer.Add(new Fault(5, 9, FaultKind.Freeze, "freeze n1"));
            writer.Add(new Fault(7, 7, FaultKind.Crash, "kill n2"));
            writer.Break(FaultKind.Outage, "never healed");
            writer.Fence("incidents", "epoch/0", 3);
            writer.Read();
        }

        HistoryFiles.Save(folder, new FinalState(sound.Incidents, sound.Log, sound.Notifications, sound.DeadLetters), sound.Receipts);
        var loaded = HistoryFiles.Load(folder);
        Directory.Delete(folder, recursive: true);

        loaded.Attempts.Select(a => (a.Operation, a.Value, a.Outcome, a.Answer, a.DelayMs)).ShouldBe(
        [
            (Operation.Trigger, 1, Outcome.Ok, "202", 0), (Operation.Snooze, 2, Outcome.Unknown, "", 1_500),
        ]);
        loaded.Attempts[1].EndedNs.ShouldBe(long.MaxValue);
        loaded.Faults.Select(fault => (fault.What, fault.ToNs))
            .ShouldBe([("freeze n1", 9), ("kill n2", 7), ("never healed", long.MaxValue)]);
        loaded.Fences.ShouldHaveSingleItem().Value.ShouldBe(3);
        loaded.Receipts.ShouldBe(sound.Receipts);
        loaded.Log.ShouldBe(sound.Log);
        loaded.DeadLetters.ShouldBe(sound.DeadLetters);
        loaded.Incidents.SelectMany(incident => incident.Entries).ShouldBe(sound.Incidents.SelectMany(incident => incident.Entries));
        loaded.WallMsAtZero.ShouldBeGreaterThan(0);
    }
}
