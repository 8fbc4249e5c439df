using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Belfry.Drill.Check;
using Belfry.Drill.Load;
using Belfry.Drill.Topology;

namespace Belfry.Drill.Reading;

/// <summary>Reads all that a drill left: incidents and timelines through the REST API of all instances, the rest off the topics.</summary>
internal sealed class FinalReader(Cluster cluster) : IDisposable
{
    private const int PageSize = 100;
    private const int AtOnce = 6;
    private static readonly TimeSpan AskAgainMax = TimeSpan.FromSeconds(20);

    private readonly IReadOnlyList<HttpClient> _clients =
        [.. cluster.Nodes.Select(node => new HttpClient { BaseAddress = node.Url, Timeout = TimeSpan.FromSeconds(60) })];

    private int _next;

    /// <summary>A number that stands still once nothing goes on: of incidents, lines of timelines and pages.</summary>
    public async Task<long> ProgressAsync(CancellationToken cancel)
    {
        var incidents = await GetAsync("/api/incidents?limit=1", cancel);
        var lines = await GetAsync("/api/log_entries?limit=1", cancel);
        return incidents["total"]!.GetValue<long>() + lines["total"]!.GetValue<long>() + cluster.Sink.Count;
    }

    /// <param name="since">Incidents opened before are left out.</param>
    /// <param name="isOurs">By dedup key: those of other histories that go on meanwhile are left out.</param>
    /// <param name="marks">Where the topics ended before the drill.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task<FinalState> ReadAsync(
        DateTimeOffset since, Func<string, bool> isOurs, TopicMarks marks, CancellationToken cancel)
    {
        var topics = await Task.Run(() => TopicReader.Read(cluster.Kafka.Bootstrap, marks), cancel);
        var (ours, others) = (new List<JsonNode>(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var incident in await PagesAsync($"/api/incidents?since={since.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}", "incidents", cancel))
            if (isOurs(KeyOf(incident))) ours.Add(incident);
            else others.Add(IdOf(incident));
        // Of what was opened before, only these go on.
        var waiting = string.Join('&', cluster.Escalating.Select(service => $"service_ids[]={service.Id}"));
        foreach (var incident in await PagesAsync($"/api/incidents?{waiting}", "incidents", cancel))
            if (!isOurs(KeyOf(incident))) others.Add(IdOf(incident));
        var read = new ConcurrentBag<ReadIncident>();
        await Parallel.ForEachAsync(
            ours.DistinctBy(IdOf), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (incident, token) => read.Add(await IncidentAsync(incident, topics.AtMs, token)));
        return new FinalState(
            [.. read.OrderBy(incident => incident.Number)], [.. topics.Log.Where(entry => !others.Contains(entry.IncidentId))],
            [.. topics.Notifications.Where(notice => !others.Contains(notice.IncidentId))],
            [.. topics.DeadLetters.Where(letter => !others.Contains(letter.IncidentId))]);
    }

    public void Dispose()
    {
        foreach (var client in _clients) client.Dispose();
    }

    private async Task<ReadIncident> IncidentAsync(JsonNode incident, IReadOnlyDictionary<string, long> atMs, CancellationToken cancel)
    {
        var id = IdOf(incident);
        var lines = await PagesAsync($"/api/incidents/{id}/log_entries?", "log_entries", cancel);
        var service = incident["service"]!["id"]!.GetValue<string>();
        var of = cluster.Services.Concat(cluster.Escalating).FirstOrDefault(one => one.Id == service);
        return new ReadIncident(
            id, incident["incident_number"]!.GetValue<long>(), KeyOf(incident), of?.UserId ?? "",
            incident["title"]!.GetValue<string>(), incident["status"]!.GetValue<string>(), incident["escalation_level"]!.GetValue<int>(),
            of?.LevelDelaysMs ?? [], [.. lines.AsEnumerable().Reverse().Select(line => EntryOf(line, atMs))]);
    }

    // The API gives whole seconds; the log's own record says when exactly.
    private static ReadEntry EntryOf(JsonNode line, IReadOnlyDictionary<string, long> atMs)
    {
        const string Suffix = "_log_entry";
        var (id, type, details) = (IdOf(line), line["type"]!.GetValue<string>(), line["event_details"]);
        if (!atMs.TryGetValue(id, out var at)) at = MsOf(line["created_at"]!.GetValue<string>());
        return new ReadEntry(
            id, type[..^Suffix.Length], at, line["summary"]!.GetValue<string>(), details?["level"]?.GetValue<int>(),
            details?["state"]?.GetValue<string>(), details?["notification_id"]?.GetValue<string>(),
            details?["until"] is { } until ? MsOf(until.GetValue<string>()) : null);
    }

    private async Task<List<JsonNode>> PagesAsync(string path, string name, CancellationToken cancel)
    {
        var all = new List<JsonNode>();
        while (true)
        {
            var page = await GetAsync($"{path}&limit={PageSize}&offset={all.Count}", cancel);
            all.AddRange(page[name]!.AsArray().Select(item => item!));
            if (!page["more"]!.GetValue<bool>()) return all;
        }
    }

    /// <summary>By turns over instances and tokens; what fails is asked again for a while.</summary>
    private async Task<JsonNode> GetAsync(string path, CancellationToken cancel)
    {
        for (var began = cluster.Clock.NowNs; ;)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                request.Headers.Authorization = cluster.NextToken();
                var client = _clients[(int)((uint)Interlocked.Increment(ref _next) % (uint)_clients.Count)];
                using var answer = await client.SendAsync(request, cancel);
                answer.EnsureSuccessStatusCode();
                return JsonNode.Parse(await answer.Content.ReadAsStringAsync(cancel))!;
            }
            catch (Exception fault) when (
                fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested
                && cluster.Clock.NowNs - began < AskAgainMax.TotalNanoseconds)
            {
                await Task.Delay(100, cancel);
            }
        }
    }

    private static string KeyOf(JsonNode incident) => incident["incident_key"]?.GetValue<string>() ?? "";

    private static string IdOf(JsonNode node) => node["id"]!.GetValue<string>();

    private static long MsOf(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture).ToUnixTimeMilliseconds();
}
