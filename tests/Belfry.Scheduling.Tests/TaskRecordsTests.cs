using System.Text;
using Belfry.Log;

namespace Belfry.Scheduling.Tests;

public sealed class TaskRecordsTests
{
    private static readonly ScheduledTask Task = new()
    {
        Id = new("order", "page.responder", "level-2"), DueAt = new(2026, 6, 7, 21, 11, 26, 123, TimeSpan.Zero), Generation = 4,
        Payload = new byte[] { 0, 255, 7 },
    };

    [Fact]
    public void A_schedule_comes_back_as_it_was_written()
    {
        var record = TaskRecords.Schedule("topic", Task);
        record.OrderingKey.ShouldBe("order");
        var read = Change<TaskChange.Schedule>(record.Value).Task;
        read.Payload.ToArray().ShouldBe(Task.Payload.ToArray());
        (read with { Payload = default }).ShouldBe(Task with { Payload = default });
    }

    [Fact]
    public void A_cancel_and_a_reschedule_come_back_as_they_were_written()
    {
        Change<TaskChange.Cancel>(TaskRecords.Cancel("topic", Task.Id, 9).Value).ShouldBe(new TaskChange.Cancel(Task.Id, 9));
        Change<TaskChange.Reschedule>(TaskRecords.Reschedule("topic", Task.Id, Task.DueAt, 9).Value)
            .ShouldBe(new TaskChange.Reschedule(Task.Id, Task.DueAt, 9));
    }

    [Theory]
    [InlineData("2016-06-07T21:11:26.000Z")]
    [InlineData("2016-06-07T21:11:26Z")]
    public void A_record_of_PagerDuty_is_a_task_whose_key_includes_its_time(string time)
    {
        var json = $$"""{"orderingId":"oid","scheduledTime":"{{time}}","uniquenessKey":"ukey","taskData":{"foo":"bar"},"version":1}""";
        var task = Change<TaskChange.Schedule>(Encoding.UTF8.GetBytes(json)).Task;
        task.Id.ShouldBe(new ScheduledTaskId("oid", TaskRecords.PagerDutyKind, "2016-06-07T21:11:26.000Z|ukey"));
        task.DueAt.ShouldBe(new DateTimeOffset(2016, 6, 7, 21, 11, 26, TimeSpan.Zero));
        Encoding.UTF8.GetString(task.Payload.Span).ShouldBe("""{"foo":"bar"}""");
    }

    [Theory]
    [InlineData("", "no value")]
    [InlineData("null", "null")]
    [InlineData("{", "JSON")]
    [InlineData("[1]", "JSON")]
    [InlineData("""{"version":2,"change":"schedule"}""", "version")]
    [InlineData("""{"version":1,"change":"explode","ordering_id":"o","kind":"k","unique_key":"u","due_at":"2026-01-01T00:00:00.000Z"}""",
        "explode")]
    [InlineData(
        """{"version":1,"change":"schedule","ordering_id":"o,o","kind":"k","unique_key":"u","due_at":"2026-01-01T00:00:00.000Z"}""",
        "comma")]
    [InlineData("""{"version":1,"change":"schedule","ordering_id":"o","kind":"","unique_key":"u","due_at":"2026-01-01T00:00:00.000Z"}""",
        "kind")]
    [InlineData("""{"version":1,"change":"schedule","ordering_id":"o","kind":"k","unique_key":"u","due_at":"tomorrow"}""", "due_at")]
    [InlineData("""{"version":1,"change":"cancel","ordering_id":"o","kind":"k","unique_key":"u","generation":-1}""", "generation")]
    [InlineData(
        """{"version":1,"change":"schedule","ordering_id":"\ud800","kind":"k","unique_key":"u","due_at":"2026-01-01T00:00:00.000Z"}""",
        "")]
    [InlineData("""{"orderingId":"o","scheduledTime":"2016-06-07T21:11:26.000Z","uniquenessKey":"u","taskData":{},"version":3}""",
        "version")]
    [InlineData("""{"orderingId":"o","scheduledTime":"2016-06-07T21:11:26.000Z","taskData":{}}""", "uniquenessKey")]
    public void What_cannot_be_read_is_told_with_its_reason(string value, string reason) =>
        TaskRecords.Decode(Encoding.UTF8.GetBytes(value)).ShouldBeOfType<TaskDecoding.Undecodable>().Reason.ShouldContain(reason);

    [Fact]
    public void The_reader_repeats_the_limit_on_payloads()
    {
        Should.Throw<ArgumentException>(
            () => TaskRecords.Schedule("t", Task with { Payload = new byte[ScheduledTask.PayloadBytesMax + 1] }))
            .Message.ShouldContain("65537");
        var json = $$"""
            {"version":1,"change":"schedule","ordering_id":"o","kind":"k","unique_key":"u","due_at":"2026-01-01T00:00:00.000Z",
             "payload":"{{Convert.ToBase64String(new byte[ScheduledTask.PayloadBytesMax + 1])}}"}
            """;
        TaskRecords.Decode(Encoding.UTF8.GetBytes(json)).ShouldBeOfType<TaskDecoding.Undecodable>().Reason.ShouldContain("65537");
    }

    [Fact]
    public void Ids_that_are_too_long_are_refused_with_the_limit() =>
        Should.Throw<ArgumentException>(() => TaskRecords.Cancel("t", new ScheduledTaskId(new string('ü', 257), "k", "u"), 0))
            .Message.ShouldContain("514 bytes");

    [Fact]
    public void Options_out_of_range_are_all_named()
    {
        var faults = new SchedulerOptions { RunningMax = 0, LookAhead = TimeSpan.Zero }.Faults();
        faults.Count.ShouldBe(2);
        new SchedulerOptions().Faults().ShouldBeEmpty();
    }

    [Fact]
    public void Backoff_doubles_up_to_its_cap_with_jitter_between_half_and_whole()
    {
        for (var seed = 0L; seed < 500; seed++)
            for (var attempts = 1; attempts < 90; attempts++)
            {
                var full = attempts > 3 ? 120_000 : 20_000 << (attempts - 1);
                TaskBackoff.Default.WaitMs(attempts, seed).ShouldBeInRange(full / 2, full);
            }
    }

    private static T Change<T>(ReadOnlyMemory<byte> value)
        where T : TaskChange =>
        TaskRecords.Decode(value.Span).ShouldBeOfType<TaskDecoding.Decoded>().Change.ShouldBeOfType<T>();
}
