using Belfry.Alerting.Feedback;
using Belfry.Alerting.Incidents;
using FsCheck;
using FsCheck.Fluent;
using static Belfry.Alerting.Tests.Planning.PlanningScene;

namespace Belfry.Alerting.Tests.Feedback;

public sealed class AcknowledgeLinksTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private readonly AcknowledgeLinks _links = new(Key);

    [Fact]
    public void A_link_says_what_was_signed()
    {
        var ticket = _links.Verify(Token(), Start.AddDays(1)).ShouldBeOfType<LinkCheck.Valid>().Ticket;
        ticket.ShouldBe(new AcknowledgeTicket(Fire, Billing, 42, Ada, Start.AddDays(7)));
    }

    [Fact]
    public void A_link_expires_after_seven_days_to_the_second()
    {
        _links.Verify(Token(), Start.AddDays(7).AddTicks(-1)).ShouldBeOfType<LinkCheck.Valid>();
        _links.Verify(Token(), Start.AddDays(7)).ShouldBeOfType<LinkCheck.Expired>().Ticket.IncidentId.ShouldBe(Fire);
    }

    [Fact]
    public void A_token_is_url_safe_and_the_same_each_time()
    {
        Token().ShouldBe(Token());
        Token().ShouldAllBe(c => char.IsAsciiLetterOrDigit(c) || c == '-' || c == '_');
    }

    [Fact]
    public void Every_changed_character_is_a_forgery()
    {
        var token = Token();
        for (var i = 0; i < token.Length; i++)
            foreach (var other in "AZaz09-_")
                if (token[i] != other)
                    _links.Verify($"{token[..i]}{other}{token[(i + 1)..]}", Start).ShouldBeOfType<LinkCheck.Forged>();
    }

    [Fact]
    public void An_expired_link_that_was_altered_is_a_forgery_and_not_expired()
    {
        var token = Token();
        var altered = (token[5] == 'A' ? 'B' : 'A') is var c ? $"{token[..5]}{c}{token[6..]}" : token;
        _links.Verify(altered, Start.AddYears(1)).ShouldBeOfType<LinkCheck.Forged>();
    }

    [Fact]
    public void A_link_signed_with_another_key_is_a_forgery() =>
        new AcknowledgeLinks([.. Key.Reverse()]).Verify(Token(), Start).ShouldBeOfType<LinkCheck.Forged>();

    [Theory]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("../../etc/passwd")]
    [InlineData("\0\r\n")]
    [InlineData("ééé")]
    public void What_is_no_token_is_a_forgery(string token)
    {
        _links.Verify(token, Start).ShouldBeOfType<LinkCheck.Forged>();
        _links.Verify(Token() + token + " ", Start).ShouldBeOfType<LinkCheck.Forged>();
        _links.Verify(Token() + "=", Start).ShouldBeOfType<LinkCheck.Forged>();
    }

    [Fact]
    public void No_text_makes_the_check_throw() =>
        Prop.ForAll(
            ArbMap.Default.ArbFor<string>().Filter(text => text is not null), text => _links.Verify(text, Start) is LinkCheck.Forged)
            .QuickCheckThrowOnFailure();

    [Fact]
    public void A_short_key_is_refused_with_its_length() =>
        Should.Throw<ArgumentException>(() => new AcknowledgeLinks(new byte[31])).Message.ShouldContain("31 bytes");

    [Fact]
    public void Each_click_of_a_link_gives_the_same_command()
    {
        var ticket = _links.Verify(Token(), Start).ShouldBeOfType<LinkCheck.Valid>().Ticket;
        var (first, second) = (AcknowledgeLinks.CommandOf(ticket, Start), AcknowledgeLinks.CommandOf(ticket, Start.AddHours(1)));
        second.Id.ShouldBe(first.Id);
        (first.Kind, first.Channel, first.Epoch, first.ActorId, first.ServiceId, first.IncidentId)
            .ShouldBe((CommandKind.Acknowledge, "email", 42L, Ada, Billing, Fire));
        AcknowledgeLinks.CommandOf(ticket with { Epoch = 43 }, Start).Id.ShouldNotBe(first.Id);
        AcknowledgeLinks.CommandOf(ticket with { UserId = Bob }, Start).Id.ShouldNotBe(first.Id);
    }

    private string Token() => _links.Sign(Fire, Billing, 42, Ada, Start);
}
