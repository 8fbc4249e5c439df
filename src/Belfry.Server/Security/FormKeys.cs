using Belfry.Server.Hosting;
using Dapper;
using Microsoft.AspNetCore.DataProtection;

namespace Belfry.Server.Security;

/// <summary>
/// One key that protects forms for all instances that start at once on an empty folder. Each would make its own otherwise, and one reads
/// those of the others within two minutes after its start only, and then once a day: a form of the one would be refused by the next.
/// </summary>
internal static class FormKeys
{
    /// <summary>Makes the key, or reads the one that another instance made. Safe to repeat.</summary>
    /// <exception cref="Outbox.StoreUnavailableException">Retryable.</exception>
    public static async Task EnsureAsync(IDataProtectionProvider provider, ShapePorts ports, CancellationToken cancel)
    {
        if (!ports.AreShared) return;
        await ports.Store.WriteAsync(tx =>
        {
            // Held until the transaction ends: whoever comes next finds the key in the folder.
            tx.Connection.Execute(ports.Dialect.LockSchema);
            provider.CreateProtector("belfry: the first use of the keys").Protect([0]);
            return ValueTask.FromResult(true);
        }, cancel);
    }
}
