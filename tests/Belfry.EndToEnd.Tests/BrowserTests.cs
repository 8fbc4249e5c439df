using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Belfry.EndToEnd.Tests.Support;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Belfry.EndToEnd.Tests;

/// <summary>The pages in a real browser, found by the roles that a screen reader finds them by.</summary>
public partial class BrowserTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private Browser? _browser;
    private BelfryProgram? _belfry;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        if (_belfry is not null) await _belfry.DisposeAsync();
        _folder.Dispose();
    }

    [SkippableFact]
    public async Task The_one_time_link_makes_the_administrator_and_signs_in_once()
    {
        var page = await OpenAsync();
        var link = _belfry!.Ready.GetProperty("setupUrl").GetString()!;
        await page.GotoAsync(link);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Set up Belfry" })).ToBeVisibleAsync();
        await Browser.ShowAsync(page, "setup");
        await SetUpAsync(page);

        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Incidents" })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Banner)).ToContainTextAsync("Grace Hopper");
        await Browser.ShowAsync(page, "first-look");
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
        await Expect(page.GetByLabel("Password")).ToBeVisibleAsync();
        await Browser.ShowAsync(page, "sign-in");
        await page.GotoAsync(link);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "This link has ended" })).ToBeVisibleAsync();
    }

    [SkippableFact]
    public async Task A_new_incident_and_what_others_do_appear_without_a_reload()
    {
        var page = await OpenSignedInAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "All quiet" })).ToBeVisibleAsync();
        await page.EvaluateAsync("window.notReloaded = true");
        await FireAsync("k1", "Disk is full on db-1");
        await FireAsync("k2", "Replica lag over 30 s on db-2", "warning");
        var row = page.GetByRole(AriaRole.Listitem).Filter(new() { HasText = "Disk is full on db-1" });
        await Expect(row).ToContainTextAsync("triggered");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "Replica lag over 30 s on db-2" })).ToBeVisibleAsync();
        (await page.EvaluateAsync<bool>("window.notReloaded === true")).ShouldBeTrue();
        await Browser.ShowAsync(page, "list");

        await row.GetByRole(AriaRole.Link).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Disk is full on db-1", Level = 1 })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Acknowledge", Exact = true }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Main)).ToContainTextAsync("acknowledged");
        await Expect(Timeline(page)).ToContainTextAsync("Acknowledged");
        await Browser.ShowAsync(page, "incident");

        // Another client acts on what this page shows.
        await page.EvaluateAsync("window.notReloaded = true");
        await PutStatusAsync("Disk is full on db-1", "resolved");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Reopen" })).ToBeVisibleAsync();
        await Expect(Timeline(page)).ToContainTextAsync("Resolved");
        (await page.EvaluateAsync<bool>("window.notReloaded === true")).ShouldBeTrue();
    }

    [SkippableFact]
    public async Task An_acknowledgement_by_another_client_appears_on_the_open_page()
    {
        var page = await OpenSignedInAsync();
        await FireAsync("k1", "Disk is full on db-1");
        await page.GetByRole(AriaRole.Link, new() { Name = "Disk is full on db-1" }).ClickAsync();
        await Expect(Badge(page, "triggered")).ToBeVisibleAsync();
        await page.EvaluateAsync("window.notReloaded = true");
        await PutStatusAsync("Disk is full on db-1", "acknowledged");
        await Expect(Badge(page, "acknowledged")).ToBeVisibleAsync();
        await Expect(Timeline(page)).ToContainTextAsync("Acknowledged");
        (await page.EvaluateAsync<bool>("window.notReloaded === true")).ShouldBeTrue();
    }

    [SkippableFact]
    public async Task On_a_phone_nothing_scrolls_sideways_and_every_button_can_be_hit()
    {
        const string Long = "Checkout_latency_p99_over_2500_ms_for_10_minutes_in_eu-central-1a_since_the_deploy_of_v2026.11.22-rc1";
        var page = await OpenSignedInAsync(360, 740);
        await FireAsync("k1", Long);
        await FireAsync("k2", "Disk is full on db-1");
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = Long })).ToBeVisibleAsync();
        await CheckPhoneAsync(page, "phone-list");
        await page.GetByRole(AriaRole.Link, new() { Name = Long }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = Long, Level = 1 })).ToBeVisibleAsync();
        await CheckPhoneAsync(page, "phone-incident");
        foreach (var (path, name) in ((string, string)[])[("/services", "services"), ("/oncall", "oncall"), ("/people", "people")])
        {
            await page.GotoAsync(new Uri(_belfry!.Url, path).ToString());
            await CheckPhoneAsync(page, "phone-" + name);
        }

        var mail = await Eventually.GetAsync("the mail", () => Task.FromResult(Mails().FirstOrDefault()));
        var stranger = await _browser!.OpenAsync(360, 740);
        await stranger.GotoAsync(mail.AcknowledgeLink.ToString());
        await CheckPhoneAsync(stranger, "phone-acknowledge");
        await stranger.GetByRole(AriaRole.Button, new() { Name = "Acknowledge" }).ClickAsync();
        await Expect(stranger.GetByRole(AriaRole.Heading, new() { NameRegex = DoneOrTaken() })).ToBeVisibleAsync();
        await CheckPhoneAsync(stranger, "phone-acknowledged");
    }

    private static async Task CheckPhoneAsync(IPage page, string name)
    {
        await Browser.ShowAsync(page, name);
        var sizes = await page.EvaluateAsync<int[]>("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        sizes[0].ShouldBeLessThanOrEqualTo(sizes[1], $"{name} scrolls sideways");
        foreach (var button in await page.GetByRole(AriaRole.Button).AllAsync())
        {
            // A trial does all of a click but the click: visible, still, enabled, and nothing in front of it.
            await button.ClickAsync(new LocatorClickOptions { Trial = true });
            var box = (await button.BoundingBoxAsync()).ShouldNotBeNull();
            box.X.ShouldBeGreaterThanOrEqualTo(0);
            (box.X + box.Width).ShouldBeLessThanOrEqualTo(sizes[1]);
        }
    }

    private async Task<IPage> OpenAsync(int width = 1280, int height = 900, params string[] arguments)
    {
        _browser = await Browser.StartAsync();
        _belfry = await BelfryProgram.StartAsync(_folder.Sub("data"), ChildProgram.FreePort(), arguments);
        return await _browser.OpenAsync(width, height);
    }

    private async Task<IPage> OpenSignedInAsync(int width = 1280, int height = 900)
    {
        var page = await OpenAsync(width, height, "--demo", "--mail-folder", _folder.Sub("mail"));
        await page.GotoAsync(_belfry!.Ready.GetProperty("setupUrl").GetString()!);
        await SetUpAsync(page);
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Incidents" })).ToBeVisibleAsync();
        return page;
    }

    private static async Task SetUpAsync(IPage page)
    {
        await page.GetByLabel("Name").FillAsync("Grace Hopper");
        await page.GetByLabel("Mail address").FillAsync("grace@example.com");
        await page.GetByLabel("Password").FillAsync("a compiler of one's own");
        await page.GetByRole(AriaRole.Button, new() { Name = "Continue" }).ClickAsync();
    }

    private async Task FireAsync(string key, string summary, string severity = "critical")
    {
        using var answer = await _belfry!.SendEventAsync("trigger", key, summary, severity);
        ((int)answer.StatusCode).ShouldBe(202);
    }

    private async Task PutStatusAsync(string title, string status)
    {
        var incidents = await _belfry!.IncidentsAsync();
        var id = incidents.Single(incident => incident["title"]!.GetValue<string>() == title)["id"]!.GetValue<string>();
        var body = new JsonObject { ["incident"] = new JsonObject { ["type"] = "incident_reference", ["status"] = status } };
        using var answer = await _belfry.Api.PutAsJsonAsync($"/api/incidents/{id}", body);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    private IEnumerable<Mail> Mails() =>
        Directory.GetFiles(Path.Combine(_folder.Path, "mail"), "*.eml").Select(path => Mail.Parse(File.ReadAllText(path)));

    private static ILocator Timeline(IPage page) => page.GetByRole(AriaRole.Region, new() { Name = "Timeline" });

    private static ILocator Badge(IPage page, string status) =>
        page.GetByRole(AriaRole.Main).GetByText(status, new() { Exact = true }).First;

    [GeneratedRegex("Acknowledged|Taken")]
    private static partial Regex DoneOrTaken();
}
