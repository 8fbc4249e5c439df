namespace Belfry.EndToEnd.Tests.Support;

/// <summary>A real program that a test talks to. Missing: the test skips with the way to install it, and fails when CI=true.</summary>
internal static class Part
{
    public static string Chromium() => Require("/usr/bin/chromium", "chromium");
    public static string Alertmanager() => Require("/usr/bin/prometheus-alertmanager", "prometheus-alertmanager");
    public static string Amtool() => Require("/usr/bin/amtool", "prometheus-alertmanager");

    public static string Redis() => Require("/usr/bin/redis-server", "redis-server");

    public static string Python(string module, string package)
    {
        Require($"/usr/lib/python3/dist-packages/{module}", package);
        return "/usr/bin/python3";
    }

    private static string Require(string path, string package)
    {
        if (Path.Exists(path)) return path;
        var message = $"{path} is missing; install it with: apt-get install {package}";
        if (Environment.GetEnvironmentVariable("CI") == "true") throw new InvalidOperationException(message);
        Skip.If(true, message);
        return path;
    }
}
