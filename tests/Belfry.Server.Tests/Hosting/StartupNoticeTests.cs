using Belfry.Server.Hosting;
using Belfry.Server.Tests.Support;
using Belfry.Sqlite.Tests;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Belfry.Server.Tests.Hosting;

public sealed class StartupNoticeTests
{
    [Fact]
    public async Task A_store_that_fails_while_the_set_up_link_is_made_does_not_end_the_program()
    {
        var folder = Directory.CreateTempSubdirectory("belfry-notice-").FullName;
        var ready = Path.Combine(folder, "ready.json");
        var options = new ServerOptions { DataDir = folder, Urls = "http://127.0.0.1:0", ReadyFile = ready };
        var time = new HurriedTime(50, TimeSpan.FromSeconds(1));
        await using (var server = await BelfryServer.OpenAsync(options, time, default))
        {
            var services = server.App.Services;
            var notice = services.GetServices<IHostedService>().OfType<StartupNotice>().Single();
            await using (await Outage.BeginAsync(((EmbeddedPorts)services.GetRequiredService<ServerShape>().Ports).File))
            {
                await server.App.StartAsync();
                // Half a second for real: it would have ended by then if a failure ended it.
                await Task.WhenAny(notice.ExecuteTask!, Task.Delay(TimeSpan.FromSeconds(25), time));
                notice.ExecuteTask!.IsCompleted.ShouldBeFalse("it waits for the store");
                File.Exists(ready).ShouldBeFalse();
            }

            await notice.ExecuteTask!.WaitAsync(TimeSpan.FromMinutes(1));
            File.Exists(ready).ShouldBeTrue();
            services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested.ShouldBeFalse();
            await server.App.StopAsync();
        }

        Directory.Delete(folder, recursive: true);
    }
}
