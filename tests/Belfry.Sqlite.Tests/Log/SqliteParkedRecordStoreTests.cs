using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests;

public sealed class SqliteParkedRecordStoreTests : ParkedRecordStoreSpec
{
    private readonly TempFolder _folder = new();
    private SqliteFile _file = null!;

    protected override async Task<IParkedRecordStore> OpenAsync()
    {
        _file = SqliteFile.Open(_folder.File);
        return await SqliteParkedRecordStore.OpenAsync(_file, default);
    }

    protected override async Task CloseAsync()
    {
        await _file.DisposeAsync();
        _folder.Dispose();
    }
}
