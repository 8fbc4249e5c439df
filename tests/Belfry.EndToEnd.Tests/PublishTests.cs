using System.Net;
using System.Reflection;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>The server as <c>deploy/</c> takes it: published into a folder of its own.</summary>
public sealed class PublishTests
{
    [Fact]
    public async Task The_published_server_is_what_was_built_and_serves_from_its_folder_alone()
    {
        using var folder = new TempFolder();
        var built = Path.GetDirectoryName(BelfryProgram.Dll)!;
        var before = Directory.GetFiles(built, "*.dll").Concat(Directory.GetFiles(built, "*.so"))
            .ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);
        var output = folder.Sub("server");
        await PublishAsync(output);

        // Images too, which take the place of the packages' own assemblies.
        foreach (var (file, bytes) in before)
            File.ReadAllBytes(Path.Combine(output, file)).AsSpan().SequenceEqual(bytes).ShouldBeTrue(file);

        await using var program = await BelfryProgram.StartFromAsync(
            Path.Combine(output, Path.GetFileName(BelfryProgram.Dll)), folder.Sub("data"), ChildProgram.FreePort(), "--demo");
        (await program.Http.GetAsync("/belfry.css")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await program.SendEventAsync("trigger", "published", "published")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var mails = program.Ready.GetProperty("mailDir").GetString()!;
        await Eventually.TrueAsync(
            "the page", () => Task.FromResult(Directory.EnumerateFiles(mails, "*.eml").Any()), () => program.Process.Output);
    }

    /// <summary>As the compose file says; where the build had to go without images, so does this.</summary>
    private static async Task PublishAsync(string output)
    {
        var root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));
        var configuration = typeof(PublishTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var release = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        var hasImages = Directory.Exists(Path.Combine(root, "artifacts", "obj", "Belfry.Server", release, "ahead-of-time"));
        await using var publish = new ChildProgram("dotnet",
        [
            "publish", Path.Combine(root, "src", "Belfry.Server"), "-c", configuration, "-o", output, "--nologo",
            "-nodeReuse:false", "-p:UseSharedCompilation=false",
            .. hasImages ? [] : (string[])["-p:AheadOfTime=false"],
        ]);
        await Eventually.TrueAsync(
            "it is published", () => Task.FromResult(publish.HasExited), () => publish.Output, more: TimeSpan.FromMinutes(3));
        publish.ExitCode.ShouldBe(0, publish.Output);
    }
}
