using System.Net;
using System.Net.Sockets;
using Belfry.Alerting.Catalog;
using Belfry.Server.Hosting;
using Belfry.Server.Security;
using Belfry.Server.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Belfry.Server.Tests.Hosting;

public sealed class ListenTests
{
    // All of 127/8 is this machine: a socket bound to 127.0.0.1 is not reached here, one bound to every address is.
    private static readonly IPAddress Elsewhere = IPAddress.Parse("127.0.0.2");

    [Theory]
    [InlineData("http://0.0.0.0:8080", "http://127.0.0.1:8080")]
    [InlineData("http://192.0.2.7:80/", "http://127.0.0.1:80")]
    [InlineData("https://*:8443", "https://127.0.0.1:8443")]
    [InlineData("http://+", "http://127.0.0.1")]
    [InlineData("http://belfry.example:0", "http://127.0.0.1:0")]
    [InlineData("http://[::]:8080", "http://[::1]:8080")]
    [InlineData("https://[2001:db8::1]", "https://[::1]")]
    [InlineData("http://[::1]:8080", "http://[::1]:8080")]
    [InlineData("http://127.0.0.3:8080", "http://127.0.0.3:8080")]
    [InlineData("http://localhost:8080", "http://localhost:8080")]
    [InlineData("http://unix:/run/belfry.sock", "http://unix:/run/belfry.sock")]
    public void An_address_has_its_like_on_this_machine(string url, string expected) =>
        ListenAddresses.OnThisMachine(url).ShouldBe(expected);

    [Fact]
    public void Going_over_keeps_the_ports_that_were_given()
    {
        var configuration = new ConfigurationManager();
        var addresses = ListenAddresses.AddTo(configuration, "http://*:0;http://0.0.0.0:81");
        addresses.Bind(everywhere: false);
        Urls().ShouldBe(["http://127.0.0.1:0", "http://127.0.0.1:81"]);
        addresses.IsNarrowed.ShouldBeTrue();
        addresses.Widen(["http://127.0.0.1:34567", "http://127.0.0.1:81"]);
        Urls().ShouldBe(["http://*:34567", "http://0.0.0.0:81"]);

        IEnumerable<string?> Urls() => configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"]);
    }

    [Fact]
    public void Two_addresses_that_are_one_on_this_machine_are_bound_once_and_keep_their_port()
    {
        var configuration = new ConfigurationManager();
        var addresses = ListenAddresses.AddTo(configuration, "http://192.0.2.7:8080;http://192.0.2.8:8080;http://192.0.2.9:0");
        addresses.Bind(everywhere: false);
        addresses.Bound.ShouldBe(["http://127.0.0.1:8080", "http://127.0.0.1:0"]);
        addresses.Widen(["http://127.0.0.1:8080", "http://127.0.0.1:40001"]);
        configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"])
            .ShouldBe(["http://192.0.2.7:8080", "http://192.0.2.8:8080", "http://192.0.2.9:40001"]);
    }

    [Fact]
    public void Endpoints_from_elsewhere_are_refused_for_they_would_not_wait_for_an_administrator()
    {
        var configuration = new ConfigurationManager { ["Kestrel:Endpoints:Mine:Url"] = "http://0.0.0.0:80" };
        Should.Throw<InvalidOperationException>(() => ListenAddresses.AddTo(configuration, "http://127.0.0.1:0"))
            .Message.ShouldContain("Kestrel:Endpoints:Mine");
    }

    [Fact]
    public async Task The_sockets_are_bound_to_loopback_until_there_is_an_administrator_and_then_as_asked_without_a_restart()
    {
        var time = new HurriedTime(20, TimeSpan.FromSeconds(3));
        var server = new RunningServer(time, "http://0.0.0.0:0");
        await server.InitializeAsync();
        try
        {
            (await ReachesAsync(server.Url.Port)).ShouldBeFalse();
            var secret = await server.Shape.Access.InviteAsync(
                null, TimeSpan.FromDays(1), new Actor(null, "test"), DateTimeOffset.UtcNow, default);
            using var browser = new Browser(server.Url);
            using var made = await browser.SubmitAsync(
                $"/setup/{secret.Text}", "form", ("name", "Root"), ("email", "root@example.com"), ("password", "correct horse battery"));
            made.StatusCode.ShouldBe(HttpStatusCode.Redirect);
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            while (!await ReachesAsync(server.Url.Port)) await Task.Delay(TimeSpan.FromSeconds(1), time, limit.Token);
            (await browser.GetAsync("/")).StatusCode.ShouldBe(HttpStatusCode.OK, "the session goes on at the same address");
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task The_program_ends_and_says_so_when_it_cannot_listen_where_it_was_asked_to()
    {
        var server = new RunningServer(new HurriedTime(20, TimeSpan.FromSeconds(3)), "http://0.0.0.0:0");
        await server.InitializeAsync();
        try
        {
            using var taken = new TcpListener(Elsewhere, server.Url.Port);
            taken.Start();
            await server.Shape.Access.SetPasswordAsync(
                server.UserOf("ada@example.com"), "a hash", new Actor(null, "test"), DateTimeOffset.UtcNow, default);
            var ended = new TaskCompletionSource();
            var lifetime = server.Services.GetRequiredService<IHostApplicationLifetime>();
            await using var _ = lifetime.ApplicationStopping.Register(ended.SetResult);
            await server.Services.GetRequiredService<AdministratorGate>().LookAsync(default);
            await ended.Task.WaitAsync(TimeSpan.FromSeconds(30));
            server.ExitCode.ShouldBe(1);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static async Task<bool> ReachesAsync(int port)
    {
        using var socket = new TcpClient();
        try
        {
            await socket.ConnectAsync(Elsewhere, port);
            return true;
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return false;
        }
    }
}
