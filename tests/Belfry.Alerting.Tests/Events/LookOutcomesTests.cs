using Belfry.Alerting.Events;

namespace Belfry.Alerting.Tests.Events;

/// <summary>When a store that is asked over and over counts as away.</summary>
public sealed class LookOutcomesTests
{
    private readonly LookOutcomes _outcomes = new();

    [Theory]
    [InlineData("----", false)]
    [InlineData("-----", true)]
    [InlineData("-+-+-+-+", false)]
    [InlineData("-+-+-+-+-", true)]
    [InlineData("-+++++-+++---", false)]
    [InlineData("-----+", false)]
    [InlineData("-----+-", true)]
    [InlineData("+x", true)]
    [InlineData("x-", true)]
    [InlineData("x+", false)]
    [InlineData("----f-", false)]
    [InlineData("xf", false)]
    public void A_store_is_away_once_it_refused_or_five_of_its_last_ten_answers_were_late_until_it_answers(string answers, bool isAway)
    {
        foreach (var answer in answers) Tell(answer);
        _outcomes.IsAway.ShouldBe(isAway);
    }

    private void Tell(char answer)
    {
        if (answer == '-') _outcomes.Late();
        else if (answer == '+') _outcomes.Answered();
        else if (answer == 'x') _outcomes.Refused();
        else _outcomes.Forget();
    }
}
