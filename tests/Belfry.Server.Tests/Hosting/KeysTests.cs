using Belfry.Alerting;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;
using Belfry.Server.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Belfry.Server.Tests.Hosting;

public sealed class KeysTests : IDisposable
{
    private static readonly Actor By = new(null, "test");
    private readonly string _folder = Directory.CreateTempSubdirectory("belfry-keys-test").FullName;

    private string SecretsKey => Path.Combine(_folder, "keys", "secrets.key");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_server_whose_key_does_not_open_its_secrets_does_not_start_and_names_the_file()
    {
        string? secret;
        ContactMethodId method;
        await using (var shape = await OpenAsync())
        {
            var draft = new UserDraft("Ada", "ada@example.com", "Etc/UTC", UserRole.Administrator);
            var user = Done(await shape.People.CreateUserAsync(draft, By, DateTimeOffset.UtcNow, default));
            var hook = new ContactMethodDraft(ContactMethodType.Webhook, "hook", "https://hooks.example.com/");
            var made = Done(await shape.People.AddContactMethodAsync(user.Id, hook, By, DateTimeOffset.UtcNow, default));
            (secret, method) = (made.Secret, made.Method.Id);
        }

        var key = await File.ReadAllBytesAsync(SecretsKey);
        File.Delete(SecretsKey);
        (await Should.ThrowAsync<InvalidOperationException>(OpenAsync)).Message.ShouldContain(SecretsKey);
        await File.WriteAllBytesAsync(SecretsKey, key[1..]);
        (await Should.ThrowAsync<InvalidOperationException>(OpenAsync)).Message.ShouldContain("has 31 bytes, a key has 32");

        await File.WriteAllBytesAsync(SecretsKey, key);
        await using var again = await OpenAsync();
        (await again.People.SecretOfAsync(method, default)).ShouldBe(secret);
    }

    [Fact]
    public async Task Instances_on_one_store_must_have_the_same_keys_and_a_start_with_others_names_them()
    {
        await using var shape = await OpenAsync();
        string[] files = [SecretsKey, Path.Combine(_folder, "keys", "links.key")];
        Task CheckAsync() => SharedKeys.CheckAsync(shape.Ports, Path.Combine(_folder, "keys"), files, default);
        await CheckAsync();
        await CheckAsync();

        var key = await File.ReadAllBytesAsync(SecretsKey);
        await File.WriteAllBytesAsync(SecretsKey, [.. key[1..], (byte)~key[0]]);
        var refused = (await Should.ThrowAsync<InvalidOperationException>(CheckAsync)).Message;
        refused.ShouldStartWith($"secrets.key in '{Path.Combine(_folder, "keys")}' (--keys) is not what the other instances on");
        await File.WriteAllBytesAsync(SecretsKey, key);
        await CheckAsync();
    }

    private Task<ServerShape> OpenAsync() =>
        ServerShape.OpenAsync(new ServerOptions { DataDir = _folder }, TimeProvider.System, NullLoggerFactory.Instance, default);

    private static T Done<T>(ChangeResult<T> change) => change.ShouldBeOfType<ChangeResult<T>.Done>().Value;
}
