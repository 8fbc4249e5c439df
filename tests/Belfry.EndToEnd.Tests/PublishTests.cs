using System.Net;
using Belfry.EndToEnd.Tests.Support;

namespace Belfry.EndToEnd.Tests;

/// <summary>The server as <c>deploy/</c> takes it: published into a folder of its own.</summary>
public sealed class PublishTests
{
    [Fact]
    public async Task The_published_server_is_what_was_built_and_serves_from_its_folder_alone()
    {
        using var folder = new TempFolder();
        var (output, built) = (folder.Sub("server"), Path.GetDirectoryName(BelfryProgram.Dll)!);
        await PublishAsync(output, Path.GetFileName(built));

        // Images too, which take the place of the packages' own assemblies.
        foreach (var file in Directory.GetFiles(built, "*.dll").Concat(Directory.GetFiles(built, "*.so")))
            File.ReadAllBytes(Path.Combine(output, Path.GetFileName(file))).AsSpan()
                .SequenceEqual(File.ReadAllBytes(file)).ShouldBeTrue(file);

        await using var program = await BelfryProgram.StartFromAsync(
            Path.Combine(output, Path.GetFileName(BelfryProgram.Dll)), folder.Sub("data"), ChildProgram.FreePort(), "--demo");
        (await program.Http.GetAsync("/belfry.css")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await program.SendEventAsync("trigger", "published", "published")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var mails = program.Ready.GetProperty("mailDir").GetString()!;
        await Eventually.TrueAsync(
            "the page", () => Task.FromResult(Directory.EnumerateFiles(mails, "*.eml").Any()), () => program.Process.Output);
    }

    private static async Task PublishAsync(string output, string configuration)
    {
        var root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));
        await using var publish = new ChildProgram(
            "dotnet", ["publish", Path.Combine(root, "src", "Belfry.Server"), "-c", configuration, "-o", output, "--nologo"]);
        await Eventually.TrueAsync("it is published", () => Task.FromResult(publish.HasExited), () => publish.Output);
        publish.ExitCode.ShouldBe(0, publish.Output);
    }
}
