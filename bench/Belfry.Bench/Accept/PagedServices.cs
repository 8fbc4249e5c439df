using Belfry.Rig;

namespace Belfry.Bench.Accept;

/// <summary>Sixty-four services, each paging a person of its own by webhook at once, and nobody by mail: made through the API.</summary>
internal static class PagedServices
{
    private const int Count = 64;

    /// <returns>The routing key of each.</returns>
    public static async Task<IReadOnlyList<string>> MakeAsync(ServerProcess server, Uri webhook, CancellationToken cancel)
    {
        var (api, keys) = (new PagingApi(server.Api, cancel), new List<string>());
        for (var number = 0; number < Count; number++)
        {
            var user = await api.PersonAsync($"Person {number}", webhook);
            var policy = await api.PolicyAsync($"Policy {number}", (user, 30));
            keys.Add((await api.ServiceAsync($"Service {number}", policy)).RoutingKey);
        }

        return keys;
    }
}
