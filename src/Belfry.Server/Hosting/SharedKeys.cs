using System.Security.Cryptography;
using System.Text;
using Dapper;

namespace Belfry.Server.Hosting;

/// <summary>
/// Finds instances whose keys are not those of the others: links that one signed would be refused by the next, and secrets that it sealed
/// could not be opened. The first instance leaves a fingerprint of each key in the store, the others compare.
/// </summary>
internal static class SharedKeys
{
    /// <summary>Call once the keys are there.</summary>
    /// <param name="ports">A store that several instances share, with the tables of <see cref="Cluster.ClusterTables"/>.</param>
    /// <param name="folder">For messages.</param>
    /// <param name="files">The keys; known in the store by their files' names.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="InvalidOperationException">At least one is another; names all of them.</exception>
    public static async Task CheckAsync(ShapePorts ports, string folder, IReadOnlyList<string> files, CancellationToken cancel)
    {
        var own = files.Select(file => (Name: Path.GetFileName(file), Fingerprint: FingerprintOf(File.ReadAllBytes(file)))).ToList();
        var others = await ports.Store.WriteAsync(tx =>
        {
            foreach (var (name, fingerprint) in own)
                tx.Connection.Execute(
                    "insert into shared_key (name, fingerprint) values (@name, @fingerprint) on conflict (name) do nothing",
                    new { name, fingerprint });
            var rows = tx.Connection.Query<(string Name, string Fingerprint)>("select name, fingerprint from shared_key");
            return ValueTask.FromResult(rows.ToDictionary(row => row.Name, row => row.Fingerprint, StringComparer.Ordinal));
        }, cancel);
        var foreign = own.Where(key => others[key.Name] != key.Fingerprint).Select(key => key.Name).ToList();
        if (foreign.Count > 0)
            throw new InvalidOperationException(
                $"{string.Join(" and ", foreign)} in '{folder}' (--keys) {(foreign.Count == 1 ? "is" : "are")} not what the other " +
                $"instances on {ports.StoreName} have: give all instances one folder, by a mount. " +
                "If the old keys are lost, stop all instances, delete the rows of the table shared_key, and expect links sent before " +
                "to be refused.");
    }

    /// <summary>Tells keys apart, and nothing of the key to who reads the store.</summary>
    private static string FingerprintOf(byte[] key) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes("belfry: fingerprint of a shared key")));
}
