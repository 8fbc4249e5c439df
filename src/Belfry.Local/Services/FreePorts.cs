using System.Net;
using System.Net.Sockets;

namespace Belfry.Local.Services;

/// <summary>Ports that nobody listens on, below those that the system gives to clients, so that they stay free over a restart.</summary>
internal static class FreePorts
{
    private const int Lowest = 20_000;
    private const int Highest = 29_999;
    private const int TriesMax = 1_000;

    /// <summary>A port at which all of these distances from it are free as well.</summary>
    /// <param name="random">Chooses.</param>
    /// <param name="taken">What is to be used although nobody listens there yet; takes in what is returned, with its distances.</param>
    /// <param name="distances">From the port.</param>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static int Take(Random random, ISet<int> taken, params int[] distances)
    {
        for (var attempt = 0; attempt < TriesMax; attempt++)
        {
            var port = random.Next(Lowest, Highest - distances.Append(0).Max());
            int[] all = [port, .. distances.Select(distance => port + distance)];
            if (taken.Overlaps(all) || !all.All(IsFree)) continue;
            taken.UnionWith(all);
            return port;
        }

        throw new InvalidOperationException($"No free port was found between {Lowest} and {Highest}; name one.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
