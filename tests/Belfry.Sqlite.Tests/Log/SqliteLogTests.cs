using Belfry.Log;
using Belfry.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteLogTests : LogSpec
{
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private SqliteFile _file = null!;
    private LogCleaner _cleaner = null!;

    protected override async Task<IPartitionedLog> OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        var log = await SqliteLog.OpenAsync(_file, _time);
        _cleaner = new LogCleaner(log, new LogCleanerOptions { BatchRecords = 3 }, NullLogger.Instance);
        return log;
    }

    protected override Task PassAsync(TimeSpan length)
    {
        _time.Advance(length);
        return Task.CompletedTask;
    }

    protected override async Task CleanAsync() => await _cleaner.RunOnceAsync(default);

    protected override async Task CloseAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>The same with almost nothing in memory: every read comes from the disk.</summary>
public sealed class SqliteLogFromDiskTests : LogSpec
{
    private readonly TempFolder _folder = new();
    private readonly ManualTime _time = new();
    private SqliteFile _file = null!;
    private LogCleaner _cleaner = null!;

    protected override async Task<IPartitionedLog> OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        var log = await SqliteLog.OpenAsync(_file, _time, new SqliteLogOptions { TailRecordsMax = 1, PollBytesMax = 20 });
        _cleaner = new LogCleaner(log, new LogCleanerOptions(), NullLogger.Instance);
        return log;
    }

    protected override Task PassAsync(TimeSpan length)
    {
        _time.Advance(length);
        return Task.CompletedTask;
    }

    protected override async Task CleanAsync() => await _cleaner.RunOnceAsync(default);

    protected override async Task CloseAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }
}
