using Belfry.Rig;

namespace Belfry.Bench.Accept;

/// <summary>
/// A hundred and twenty-eight services, each paging a person of its own by webhook at once, and nobody by mail: made through the API.
/// Pages to one person go one after another.
/// </summary>
internal static class PagedServices
{
    private const int Count = 128;

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
