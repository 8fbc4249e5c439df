using Belfry.Log;
using Belfry.Testing;

namespace Belfry.Postgres.Tests;

public sealed class PostgresParkedRecordStoreTests : ParkedRecordStoreSpec
{
    private TestSchema? _schema;

    protected override async Task<IParkedRecordStore> OpenAsync()
    {
        _schema = await TestSchema.CreateAsync();
        return new PostgresParkedRecordStore(_schema.Database);
    }

    protected override async Task CloseAsync()
    {
        if (_schema is not null) await _schema.DisposeAsync();
    }
}
