using System.Globalization;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>Debian's prometheus-alertmanager, sending to one Belfry.</summary>
internal sealed class Alertmanager : IAsyncDisposable
{
    private readonly ChildProgram _child;
    private readonly string _url;

    private Alertmanager(ChildProgram child, string url)
    {
        _child = child;
        _url = url;
    }

    public static async Task<Alertmanager> StartAsync(string folder, Uri belfry, string routingKey)
    {
        var port = ChildProgram.FreePort();
        var config = Path.Combine(folder, "alertmanager.yml");
        await File.WriteAllTextAsync(config, $$$"""
            # The interval is also how long one notification may take, retries included.
            route: {receiver: pd, group_by: [alertname, instance], group_wait: 1s, group_interval: 15s, repeat_interval: 1h}
            receivers:
            - name: pd
              pagerduty_configs:
              - url: '{{{belfry}}}v2/enqueue'
                routing_key: {{{routingKey}}}
                severity: '{{ .CommonLabels.severity }}'
                description: '{{ .CommonLabels.alertname }} on {{ .CommonLabels.instance }}'
            """);
        var child = new ChildProgram(Part.Alertmanager(),
            [$"--config.file={config}", "--cluster.listen-address=", $"--web.listen-address=127.0.0.1:{port}", $"--storage.path={folder}"]);
        var alertmanager = new Alertmanager(child, $"http://127.0.0.1:{port}");
        using var http = new HttpClient();
        await Eventually.TrueAsync("Alertmanager", async () =>
        {
            try
            {
                return (await http.GetAsync(alertmanager._url + "/-/ready")).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, () => child.Output);
        return alertmanager;
    }

    /// <summary>Fires an alert that lasts.</summary>
    public Task FireAsync(string name, string instance) => AddAsync(name, instance);

    /// <summary>Ends an alert that was fired, as its source does: the same labels, with an end.</summary>
    public Task ResolveAsync(string name, string instance) =>
        AddAsync(name, instance, $"--end={DateTimeOffset.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)}");

    private async Task AddAsync(string name, string instance, params string[] more)
    {
        await using var amtool = new ChildProgram(Part.Amtool(),
            [$"--alertmanager.url={_url}", "alert", "add", $"alertname={name}", $"instance={instance}", "severity=critical", .. more]);
        await Eventually.TrueAsync("amtool", () => Task.FromResult(amtool.HasExited), () => amtool.Output);
        amtool.ExitCode.ShouldBe(0, amtool.Output);
    }

    public ValueTask DisposeAsync() => _child.DisposeAsync();
}
