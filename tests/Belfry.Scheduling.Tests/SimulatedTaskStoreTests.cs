using Belfry.Testing;

namespace Belfry.Scheduling.Tests;

public sealed class SimulatedTaskStoreTests : TaskStoreSpec
{
    protected override Task<ITaskStore> OpenAsync() => Task.FromResult<ITaskStore>(new SimulatedTaskStore());
}
