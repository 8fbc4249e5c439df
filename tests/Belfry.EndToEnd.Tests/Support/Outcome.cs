namespace Belfry.EndToEnd.Tests.Support;

/// <summary>What must be true in the end of every event that was accepted.</summary>
internal static class Outcome
{
    /// <summary>Each accepted event has its one incident, and there is none that nobody sent. Their titles.</summary>
    public static async Task<IReadOnlyList<string>> IncidentsOfAllAsync(BelfryProgram belfry, EventLoad load)
    {
        var titles = await Eventually.GetAsync("an incident for every accepted event", async () =>
        {
            var found = (await belfry.IncidentsAsync()).Select(incident => incident["title"]!.GetValue<string>()).ToList();
            return load.Accepted.Except(found).Any() ? null : found;
        }, () => belfry.Process.Output);
        titles.ShouldBeUnique();
        titles.Except(load.Sent).ShouldBeEmpty("nothing that nobody sent");
        return titles;
    }

    /// <summary>Each incident has been mailed.</summary>
    public static Task MailsOfAllAsync(BelfryProgram belfry, SmtpServer smtp, IReadOnlyList<string> titles) =>
        Eventually.TrueAsync("a mail for every incident", () =>
        {
            var subjects = string.Join('\n', smtp.Mails().Select(mail => mail.Subject));
            return Task.FromResult(titles.All(title => subjects.Contains(title, StringComparison.Ordinal)));
        }, () => belfry.Process.Output);
}
