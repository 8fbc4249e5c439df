using System.Security.Cryptography;
using Belfry.Alerting;
using Belfry.Alerting.Access;
using Belfry.Alerting.Catalog;
using Belfry.Alerting.People;

namespace Belfry.Server.Security;

/// <summary>What a sign-in or set-up came to.</summary>
internal abstract record SignInResult
{
    private SignInResult()
    {
    }

    /// <summary>Signed in; the secret is the cookie's content.</summary>
    public sealed record Done(Secret Session) : SignInResult;

    /// <summary>Not, for these reasons; a wrong address and a wrong password read the same.</summary>
    public sealed record Refused(IReadOnlyList<string> Faults) : SignInResult;

    /// <summary>Too many tries.</summary>
    public sealed record Limited(TimeSpan RetryAfter) : SignInResult;
}

/// <summary>
/// Checks passwords and redeems invitations. The 10th try for an account within 15 minutes is refused, as is the 100th from one address;
/// at most two passwords are computed at a time and eight wait.
/// </summary>
internal sealed class SignIn(AccessStore access, PeopleStore people, CatalogReader catalog, AdministratorGate gate, TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(15);
    private readonly TryLimit _byAccount = new(9, Window);
    private readonly TryLimit _byAddress = new(99, Window);
    private readonly PasswordWork _work = new(atATime: 2, waitingMax: 8);

    public async ValueTask<SignInResult> ByPasswordAsync(
        string email, string password, string address, string agent, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        email = email.Trim();
        if (email.Length > 320 || password.Length > PasswordRules.LengthMax) return Wrong();
        if ((_byAddress.Begin(address, now) ?? _byAccount.Begin(email, now)) is { } wait) return new SignInResult.Limited(wait);
        var user = UserBy(email);
        var stored = user is null ? null : await access.PasswordHashOfAsync(user.Id, cancel);
        if (await _work.RunAsync(() => PasswordHash.Verify(password, stored), cancel) is not { } matches)
            return new SignInResult.Limited(TimeSpan.FromSeconds(5));
        if (!matches || user is null)
        {
            await access.RecordFailedSignInAsync(email, new Actor(user?.Id, email, address), now, cancel);
            return Wrong();
        }

        _byAccount.Succeeded(email);
        return await OpenAsync(user, address, agent, now, cancel);
    }

    /// <summary>
    /// Sets the password that a link invites to. Without a user in it the link makes the first administrator of name and email.
    /// </summary>
    public async ValueTask<SignInResult> ByInvitationAsync(
        string token, string name, string email, string password, string address, string agent, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (_byAddress.Begin(address, now) is { } wait) return new SignInResult.Limited(wait);
        if (await access.FindInvitationAsync(token, now, cancel) is not { } invitation) return Ended();
        var invited = invitation.UserId is { } id ? catalog.Current.User(id) : UserBy(email.Trim());
        if (invitation.UserId is not null && invited is null) return Ended();
        var faults = PasswordRules.FaultsOf(password, invited?.Name ?? name, invited?.Email ?? email);
        if (faults.Count > 0) return new SignInResult.Refused(faults);
        if (await _work.RunAsync(() => PasswordHash.Create(password, RandomNumberGenerator.Fill), cancel) is not { } hash)
            return new SignInResult.Limited(TimeSpan.FromSeconds(5));
        var by = new Actor(invited?.Id, invited?.Name ?? name, address);
        if (invitation.UserId is null) switch (await FirstAdministratorAsync(invited, name, email, by, now, cancel))
        {
            case ChangeResult<User>.Done done: invited = done.Value; break;
            case ChangeResult<User>.Invalid invalid: return new SignInResult.Refused(invalid.Faults);
            case var other: return new SignInResult.Refused([other.Explanation]);
        }

        if (!await access.RedeemAsync(token, invited!.Id, hash, by with { UserId = invited.Id }, now, cancel)) return Ended();
        return await OpenAsync(invited, address, agent, now, cancel);
    }

    private async ValueTask<ChangeResult<User>> FirstAdministratorAsync(
        User? existing, string name, string email, Actor by, DateTimeOffset now, CancellationToken cancel) =>
        existing is null
            ? await people.CreateUserAsync(new UserDraft(name.Trim(), email.Trim(), "Etc/UTC", UserRole.Administrator), by, now, cancel)
            : await people.UpdateUserAsync(
                existing.Id, new UserDraft(existing.Name, existing.Email, existing.TimeZone, UserRole.Administrator), by, now, cancel);

    private async ValueTask<SignInResult> OpenAsync(
        User user, string address, string agent, DateTimeOffset now, CancellationToken cancel)
    {
        var session = await access.OpenSessionAsync(user.Id, address, agent, new Actor(user.Id, user.Name, address), now, cancel);

        // At every sign-in, for the one that made the administrator may have been cut off before it got here.
        await gate.LookAsync(cancel);
        return new SignInResult.Done(session);
    }

    private User? UserBy(string email) =>
        catalog.Current.Users.FirstOrDefault(user => string.Equals(user.Email, email, StringComparison.OrdinalIgnoreCase));

    private static SignInResult.Refused Wrong() => new(["The address or the password is wrong."]);

    private static SignInResult.Refused Ended() => new(["This link has been used or has ended; ask for a new one."]);
}
