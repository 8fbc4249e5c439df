using Belfry.Deliveries;
using Belfry.Testing;

namespace Belfry.Sqlite.Tests.Deliveries;

public sealed class SqliteDeliveryStoreTests : DeliveryStoreSpec
{
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-deliveries-").FullName;
    private SqliteFile? _file;

    protected override async Task<IDeliveryStore> OpenAsync()
    {
        _file = SqliteFile.Open(Path.Combine(_folder, "belfry.db"));
        return await SqliteDeliveryStore.OpenAsync(_file, default);
    }

    protected override async Task CloseAsync()
    {
        if (_file is not null) await _file.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
