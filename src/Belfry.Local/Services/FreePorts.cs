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
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static int Take(Random random, params int[] distances)
    {
        for (var attempt = 0; attempt < TriesMax; attempt++)
        {
            var port = random.Next(Lowest, Highest - distances.Append(0).Max());
            if (distances.Append(0).All(distance => IsFree(port + distance))) return port;
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
