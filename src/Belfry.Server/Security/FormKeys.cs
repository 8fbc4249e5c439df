using System.Security.Cryptography;
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
    /// <param name="provider">On the folder.</param>
    /// <param name="ports">A store that several instances share, with the tables of <see cref="Cluster.ClusterTables"/>.</param>
    /// <param name="folder">For messages.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="InvalidOperationException">The folder cannot be written, or holds a key that is damaged.</exception>
    /// <exception cref="Outbox.StoreUnavailableException">Retryable.</exception>
    public static async Task EnsureAsync(IDataProtectionProvider provider, ShapePorts ports, string folder, CancellationToken cancel)
    {
        if (!ports.AreShared) return;
        await ports.Store.WriteAsync(tx =>
        {
            // Holds the row until the transaction ends: whoever comes next finds the key in the folder.
            tx.Connection.Execute("""
                insert into shared_key (name, fingerprint) values ('forms', 'in the folder')
                on conflict (name) do update set fingerprint = excluded.fingerprint
                """);
            try
            {
                provider.CreateProtector("belfry: the first use of the keys").Protect([0]);
            }
            catch (CryptographicException fault)
            {
                throw new InvalidOperationException(
                    $"The keys in '{folder}' (--keys) cannot be used to protect forms: {fault.GetBaseException().Message}", fault);
            }

            return ValueTask.FromResult(true);
        }, cancel);
    }
}
