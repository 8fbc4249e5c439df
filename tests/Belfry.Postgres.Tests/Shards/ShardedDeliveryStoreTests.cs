using Belfry.Deliveries;
using Belfry.Testing;

namespace Belfry.Postgres.Tests;

public sealed class ShardedDeliveryStoreTests : DeliveryStoreSpec
{
    private TestShards? _shards;

    protected override async Task<IDeliveryStore> OpenAsync()
    {
        _shards = await TestShards.CreateAsync(3);
        return (await _shards.OpenAsync()).Deliveries;
    }

    protected override async Task CloseAsync()
    {
        if (_shards is not null) await _shards.DisposeAsync();
    }
}
