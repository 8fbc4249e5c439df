namespace Belfry.EndToEnd.Tests.Support;

/// <summary>What must be true in the end of every event that was accepted.</summary>
internal static class Outcome
{
    private static readonly TimeSpan TimeOfOneMail = TimeSpan.FromSeconds(0.5);

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

    /// <summary>Each incident has been mailed: within the patience of all waits, and the time the slow mail server takes for all.</summary>
    public static async Task MailsOfAllAsync(BelfryProgram belfry, SmtpServer smtp, IReadOnlyList<string> titles)
    {
        var missing = titles.ToList();
        try
        {
            await Eventually.TrueAsync("a mail for every incident", () =>
            {
                var subjects = string.Join('\n', smtp.Mails().Select(mail => mail.Subject));
                missing.RemoveAll(title => subjects.Contains(title, StringComparison.Ordinal));
                return Task.FromResult(missing.Count == 0);
            }, more: TimeOfOneMail * titles.Count);
        }
        catch (TimeoutException late)
        {
            var incident = (await belfry.IncidentsAsync()).First(one => one["title"]!.GetValue<string>() == missing[0]);
            var story = await belfry.GetAsync($"/api/incidents/{incident["id"]}/log_entries?limit=100");
            throw new TimeoutException(
                $"{late.Message} {missing.Count} of {titles.Count} have none. The story of '{missing[0]}': {story.ToJsonString()} " +
                belfry.Process.Output, late);
        }
    }
}
