using Microsoft.Playwright;

namespace Belfry.EndToEnd.Tests.Support;

/// <summary>
/// A real Chromium without a window. With <c>BELFRY_SCREENSHOTS</c> set to a folder, <see cref="ShowAsync"/> leaves pictures there.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private const float PatienceMs = 120_000;
    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;

    private Browser(IPlaywright playwright, IBrowser browser)
    {
        _playwright = playwright;
        _browser = browser;
    }

    public static async Task<Browser> StartAsync()
    {
        var chromium = Part.Chromium();
        var playwright = await Playwright.CreateAsync();
        Assertions.SetDefaultExpectTimeout(PatienceMs);
        return new Browser(playwright, await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = chromium,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
            ],
        }));
    }

    /// <summary>A page of its own cookies.</summary>
    public async Task<IPage> OpenAsync(int width = 1280, int height = 900)
    {
        var context = await _browser.NewContextAsync(new BrowserNewContextOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = height },
        });
        context.SetDefaultTimeout(PatienceMs);
        return await context.NewPageAsync();
    }

    public static async Task ShowAsync(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("BELFRY_SCREENSHOTS") is not { Length: > 0 } folder) return;
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, name + ".png"), FullPage = true });
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }
}
