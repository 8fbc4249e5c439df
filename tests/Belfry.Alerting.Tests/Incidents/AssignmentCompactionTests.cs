using Belfry.Alerting.Incidents;
using Belfry.Alerting.Planning;
using Belfry.Log;
using Belfry.Sqlite;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using static Belfry.Alerting.Tests.Incidents.IncidentDesk;

namespace Belfry.Alerting.Tests.Incidents;

/// <summary>What is left on <c>planning-assignments</c>, which planning reads whole at its start.</summary>
public sealed class AssignmentCompactionTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-assignments").FullName;
    private readonly Topics _topics = new(partitions: 1);
    private readonly ManualTime _time = new();
    private readonly IncidentDesk _desk = new();
    private SqliteFile _file = null!;
    private SqliteLog _log = null!;

    public async Task InitializeAsync()
    {
        _file = SqliteFile.Open(Path.Combine(_folder, "belfry.db"));
        _log = await SqliteLog.OpenAsync(_file, _time);
        await _log.DeclareAsync(_topics.All, default);
    }

    public async Task DisposeAsync()
    {
        await _file.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Compaction_leaves_nothing_of_an_incident_that_has_ended_and_all_of_one_that_is_open()
    {
        var open = _desk.Trigger("open");
        var incident = _desk.Trigger("ended");
        incident = _desk.Fire(incident, IncidentTimer.Escalate);
        incident = _desk.Do(incident, CommandKind.Acknowledge, Cat);
        incident = _desk.Send(_desk.Command(incident.Id, CommandKind.Reassign, Ann) with { AssignTo = [Eve, Ann] });
        _desk.Do(incident, CommandKind.Resolve, Ann);
        _desk.Forgotten.ShouldBe([Ann, Bob, Eve], ignoreOrder: true);
        await PublishAsync();
        (await CompactAsync()).ShouldBe([$"{Ann}/{open.Id}"]);
    }

    [Fact]
    public async Task An_incident_that_was_reopened_is_there_again_until_its_second_end()
    {
        var incident = _desk.Trigger();
        _desk.Admitted(_desk.Do(incident, CommandKind.Resolve, Ann));
        incident = _desk.Do(incident, CommandKind.Reopen, Bob);
        await PublishAsync();
        (await CompactAsync()).ShouldBe([$"{Ann}/{incident.Id}"]);
        _desk.Turns.Clear();
        _desk.Do(incident, CommandKind.Resolve, Ann);
        await PublishAsync();
        (await CompactAsync()).ShouldBeEmpty();
    }

    private async Task PublishAsync()
    {
        foreach (var turn in _desk.Turns)
            await _log.AppendAsync(
                [.. IncidentRecords.Of(turn, _topics).Where(record => record.Topic == _topics.PlanningAssignments.Name)], default);
    }

    /// <summary>The keys left once tombstones have outlived their retention too.</summary>
    private async Task<IReadOnlyList<string?>> CompactAsync()
    {
        var cleaner = new LogCleaner(_log, new LogCleanerOptions(), NullLogger.Instance);
        await cleaner.RunOnceAsync(default);
        _time.Advance(_topics.PlanningAssignments.Retention + TimeSpan.FromHours(1));
        await cleaner.RunOnceAsync(default);
        var left = await _log.ReadAsync(new TopicPartition(_topics.PlanningAssignments.Name, 0), 0, 1_000, default);
        left.ShouldAllBe(record => PlanningWire.DecodeAssignment(record.Value).Active);
        return [.. left.Select(record => record.Key)];
    }
}
