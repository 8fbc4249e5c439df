using System.Text;
using System.Text.Json;
using Belfry.Alerting.Events;
using static Belfry.Alerting.Tests.Events.EventSamples;

namespace Belfry.Alerting.Tests.Events;

public sealed class EventParserTests
{
    [Fact]
    public void A_good_trigger_is_taken_whole()
    {
        var alert = Accepted(Trigger(
            "\"timestamp\":\"2026-03-01T11:00:00Z\",\"component\":\"disk\",\"group\":\"db\",\"class\":\"full\"," +
            "\"custom_details\":{\"free\":0}",
            "\"dedup_key\":\"d1\",\"client\":\"Mon\",\"client_url\":\"https://mon\",\"links\":[{\"href\":\"https://x\",\"text\":\"X\"}]," +
            "\"images\":[{\"src\":\"https://i\",\"href\":\"https://h\",\"alt\":\"A\"}],\"unknown\":[1,{}]"));
        alert.Id.ShouldBe(NewId);
        alert.ServiceId.ShouldBe(TheService);
        alert.IntegrationId.ShouldBe(Inlet);
        (alert.Action, alert.DedupKey, alert.Summary, alert.Source, alert.Severity).ShouldBe(
            (EventAction.Trigger, "d1", "Disk full", "db1", Severity.Critical));
        (alert.Component, alert.Group, alert.Class, alert.Client, alert.ClientUrl).ShouldBe(("disk", "db", "full", "Mon", "https://mon"));
        alert.Timestamp.ShouldBe(Now.AddHours(-1));
        alert.CustomDetails!.Value.GetProperty("free").GetInt32().ShouldBe(0);
        alert.Links.ShouldBe([new EventLink("https://x", "X")]);
        alert.Images.ShouldBe([new EventImage("https://i", "https://h", "A")]);
    }

    [Fact]
    public void A_trigger_without_dedup_key_gets_its_event_id() => Accepted(Trigger()).DedupKey.ShouldBe(NewId.ToString());

    [Fact]
    public void A_blank_dedup_key_on_a_trigger_counts_as_none() =>
        Accepted(Trigger(top: "\"dedup_key\":\" \"")).DedupKey.ShouldBe(NewId.ToString());

    [Fact]
    public void The_routing_key_may_come_by_header_and_the_body_wins()
    {
        const string Body = "{\"event_action\":\"resolve\",\"dedup_key\":\"d\"}";
        Accepted(Body, headerKey: Key).DedupKey.ShouldBe("d");
        Accepted(Trigger(), headerKey: "nonsense").DedupKey.ShouldBe(NewId.ToString());
    }

    [Theory]
    [InlineData("\"routing_key\":\"short\"", EventErrors.RoutingKeyLength)]
    [InlineData("\"routing_key\":\"0123456789abcdef0123456789abcde-\"", EventErrors.RoutingKeyCharacters)]
    [InlineData("\"routing_key\":\"\"", "'routing_key' is missing or blank")]
    [InlineData("\"routing_key\":null", "'routing_key' is missing or blank")]
    [InlineData("\"routing_key\":\"ffffffffffffffffffffffffffffffff\"", "Invalid routing key")]
    [InlineData(
        "\"event_action\":\"Trigger\"", "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')")]
    [InlineData("\"event_action\":\"change\"", EventErrors.ActionInvalid)]
    [InlineData("\"event_action\":{}", EventErrors.ActionInvalid)]
    [InlineData("\"event_action\":\"\"", "'event_action' is missing or blank")]
    [InlineData("\"event_action\":\"resolve\"", "'dedup_key' is missing or blank")]
    [InlineData("\"event_action\":\"acknowledge\",\"dedup_key\":\"  \"", "'dedup_key' is missing or blank")]
    public void A_fault_of_the_envelope_is_named_to_the_letter(string top, string error) => Errors(Trigger(top: top)).ShouldBe([error]);

    [Theory]
    [InlineData(
        "\"severity\":\"CRITICAL\"",
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")]
    [InlineData("\"severity\":7", EventErrors.SeverityInvalid)]
    [InlineData("\"severity\":\"\"", "'payload.severity' is missing or blank")]
    [InlineData("\"severity\":null", "'payload.severity' is missing or blank")]
    [InlineData("\"source\":\" \"", "'payload.source' is missing or blank")]
    [InlineData("\"summary\":\"\"", "'payload.summary' is missing or blank")]
    [InlineData("\"summary\":[]", "'payload.summary' is invalid (must be a string)")]
    public void A_fault_of_the_payload_is_named_to_the_letter(string payload, string error) => Errors(Trigger(payload)).ShouldBe([error]);

    [Fact]
    public void All_errors_of_an_event_come_at_once_in_the_order_of_its_fields()
    {
        var key = new string('k', 256);
        var body = $"{{\"payload\":{{\"severity\":\"bad\"}},\"dedup_key\":\"{key}\",\"event_action\":\"boom\",\"routing_key\":\"a-b\"}}";
        Errors(body).ShouldBe(
        [
            "Length of 'routing_key' is incorrect (should be 32 characters)",
            "'routing_key' cannot contain non-alphanumeric characters.",
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')",
            "Length of 'dedup_key' is incorrect (should be at most 255 characters)",
            "'payload.summary' is missing or blank",
            "'payload.source' is missing or blank",
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
        ]);
    }

    [Theory]
    [InlineData(255, true)]
    [InlineData(256, false)]
    public void A_dedup_key_has_at_most_255_characters(int length, bool good)
    {
        foreach (var character in (string[])["k", "é", "😀"])
        {
            var key = string.Concat(Enumerable.Repeat(character, length));
            var parsed = Parse(Trigger(top: $"\"dedup_key\":\"{key}\""));
            if (good) parsed.ShouldBeOfType<ParsedEvent.Accepted>().Event.DedupKey.ShouldBe(key);
            else parsed.ShouldBeOfType<ParsedEvent.Invalid>().Errors.ShouldBe([EventErrors.DedupKeyLength]);
        }
    }

    [Fact]
    public void A_summary_of_1024_characters_stays_and_a_longer_one_is_cut_with_the_whole_kept()
    {
        Accepted(Trigger($"\"summary\":\"{new string('s', 1_024)}\"")).FullSummary.ShouldBeNull();
        var text = string.Concat(Enumerable.Repeat("😀", 1_025));
        var alert = Accepted(Trigger($"\"summary\":\"{text}\""));
        alert.Summary.ShouldBe(string.Concat(Enumerable.Repeat("😀", 1_024)));
        alert.FullSummary.ShouldBe(text);
    }

    [Fact]
    public void Acknowledge_and_resolve_take_a_payload_unchecked()
    {
        var alert = Accepted(
            $"{{\"routing_key\":\"{Key}\",\"event_action\":\"resolve\",\"dedup_key\":\"d\"," +
            "\"payload\":{\"severity\":\"odd\",\"summary\":[1]}}");
        (alert.Action, alert.Severity, alert.Summary).ShouldBe((EventAction.Resolve, null, ""));
        Accepted($"{{\"routing_key\":\"{Key}\",\"event_action\":\"acknowledge\",\"dedup_key\":\"d\",\"payload\":\"x\"}}").Action
            .ShouldBe(EventAction.Acknowledge);
    }

    [Theory]
    [InlineData("2015-07-17T08:42:58.315+0000", "2015-07-17T08:42:58.3150000+00:00")]
    [InlineData("2015-07-17T08:42:58.123456Z", "2015-07-17T08:42:58.1234560+00:00")]
    [InlineData("2015-07-17T08:42:58+02:00", "2015-07-17T06:42:58.0000000+00:00")]
    [InlineData("2015-07-17 08:42:58", "2015-07-17T08:42:58.0000000+00:00")]
    [InlineData("2015-07-17T08:42:58.123456789-07", "2015-07-17T15:42:58.1234567+00:00")]
    [InlineData("2015-07-17", "2015-07-17T00:00:00.0000000+00:00")]
    public void A_timestamp_of_any_usual_form_is_read(string text, string expected)
    {
        var alert = Accepted(Trigger($"\"timestamp\":\"{text}\""));
        alert.Timestamp!.Value.ToString("O").ShouldBe(expected);
        alert.UnreadTimestamp.ShouldBeNull();
    }

    [Theory]
    [InlineData("yesterday")]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("9999-12-31T23:59:59-14:00")]
    [InlineData("2015-13-17T08:42:58Z")]
    [InlineData("2015-07-17T08:42:58Zebra")]
    public void An_unreadable_timestamp_gives_the_time_of_receipt_and_is_kept(string text)
    {
        var alert = Accepted(Trigger($"\"timestamp\":\"{text}\""));
        alert.Timestamp.ShouldBe(Now);
        alert.UnreadTimestamp.ShouldBe(text);
    }

    [Theory]
    [InlineData("\"links\":null,\"images\":null")]
    [InlineData("\"links\":\"x\",\"images\":{}")]
    [InlineData("\"links\":[null,1,{}],\"images\":[{\"src\":\"http://not-https\"}]")]
    [InlineData("\"links\":[{\"href\":\"javascript:alert(1)\"}]")]
    public void Links_and_images_that_cannot_be_used_are_left_out(string top)
    {
        var alert = Accepted(Trigger(top: top));
        alert.Links.ShouldBeEmpty();
        alert.Images.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("\"text\"")]
    [InlineData("[1,\"a\"]")]
    [InlineData("1e400")]
    [InlineData("{\"a\":{\"a\":1},\"a\":2}")]
    public void Custom_details_of_any_kind_are_kept_as_they_are(string details) =>
        Accepted(Trigger($"\"custom_details\":{details}")).CustomDetails!.Value.GetRawText().ShouldBe(details);

    [Fact]
    public void Of_a_field_that_comes_twice_the_last_one_counts()
    {
        Accepted(Trigger("\"summary\":\"second\"")).Summary.ShouldBe("second");
        Errors(Trigger(top: "\"payload\":{}")).Count.ShouldBe(3);
    }

    [Fact]
    public void An_escaped_nul_becomes_the_replacement_character_everywhere()
    {
        var alert = Accepted(
            Trigger("\"summary\":\"a\\u0000b\\\\u0000\",\"custom_details\":{\"k\\u0000\":\"\\u0000\"}", "\"dedup_key\":\"\\u0000\""));
        alert.Summary.ShouldBe("a\uFFFDb\\u0000");
        alert.DedupKey.ShouldBe("\uFFFD");
        alert.CustomDetails!.Value.GetProperty("k\uFFFD").GetString().ShouldBe("\uFFFD");
    }

    [Fact]
    public void A_byte_order_mark_is_tolerated() =>
        Parse([0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(Trigger())]).ShouldBeOfType<ParsedEvent.Accepted>();

    public static TheoryData<byte[]> NoObjects => new()
    {
        Array.Empty<byte>(), "null"u8.ToArray(), "[]"u8.ToArray(), "\"x\""u8.ToArray(), "{"u8.ToArray(), "{}{}"u8.ToArray(),
        "{} x"u8.ToArray(),
        Encoding.Unicode.GetBytes(Trigger()), (byte[])[0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Trigger())],
        (byte[])[.. "{\"a\":\""u8, 0xC3, .. "\"}"u8],
        Encoding.UTF8.GetBytes("{\"x\":\"\\ud800\"}"), Encoding.UTF8.GetBytes("{\"x\":\"\\udc00\\ud800\"}"),
        Encoding.UTF8.GetBytes("{\"\\ud83dx\":1}"),
        "{\"a\":\"\0\"}"u8.ToArray(), Encoding.UTF8.GetBytes("{\"a\":" + new string('[', 10_000)), "{\"a\":\"\\u00"u8.ToArray(),
        "{'a':1}"u8.ToArray(),
    };

    [Theory]
    [MemberData(nameof(NoObjects))]
    public void What_is_no_json_object_in_utf8_is_unrecognized(byte[] body) => Parse(body).ShouldBeOfType<ParsedEvent.Unrecognized>();

    [Theory]
    [InlineData(30, true)]
    [InlineData(31, false)]
    public void Json_may_nest_32_deep(int arrays, bool good)
    {
        // The body and the payload are two levels.
        var parsed = Parse(Trigger($"\"custom_details\":{new string('[', arrays)}{new string(']', arrays)}"));
        (parsed is ParsedEvent.Accepted).ShouldBe(good);
        if (!good) parsed.ShouldBeOfType<ParsedEvent.Unrecognized>();
    }

    [Fact]
    public void A_change_event_needs_a_key_and_a_summary_only()
    {
        var change = Accepted(
            $"{{\"routing_key\":\"{Key}\",\"payload\":{{\"summary\":\"Deployed\"}},\"event_action\":\"boom\",\"dedup_key\":[]}}",
            EventKind.Change);
        (change.Action, change.DedupKey, change.Severity, change.Summary).ShouldBe((EventAction.Change, "", null, "Deployed"));
        Errors("{}", EventKind.Change).ShouldBe(["'routing_key' is missing or blank", "'payload.summary' is missing or blank"]);
    }

    [Fact]
    public void A_disabled_integration_is_an_unknown_key() =>
        EventParser.Parse(EventKind.Alert, Encoding.UTF8.GetBytes(Trigger()), null, SomeCatalog(enabled: false), Now, NewId)
            .ShouldBeOfType<ParsedEvent.Invalid>().Errors.ShouldBe([EventErrors.RoutingKeyUnknown]);

    [Fact]
    public void A_refusal_says_whose_and_which_alert_it_was()
    {
        var invalid = Parse(Trigger("\"severity\":\"x\"", "\"dedup_key\":\"d9\"")).ShouldBeOfType<ParsedEvent.Invalid>();
        (invalid.Integration!.Id, invalid.DedupKey, invalid.Summary).ShouldBe((Inlet, "d9", "Disk full"));
    }

    [Fact]
    public void An_event_comes_back_from_its_record_as_it_was()
    {
        var alert = Accepted(Trigger("\"custom_details\":{\"a\":[1,null]}", "\"links\":[{\"href\":\"https://x\"}]"));
        var record = EventRecords.Encode(alert, new Topics());
        var back = EventRecords.Decode(record.Value.Span);
        record.OrderingKey.ShouldBe(TheService.ToString());
        back.CustomDetails!.Value.GetRawText().ShouldBe("{\"a\":[1,null]}");
        back.Links.ShouldBe(alert.Links);
        (back with { CustomDetails = null, Links = [], Images = [] }).ShouldBe(
            alert with { CustomDetails = null, Links = [], Images = [] });
        JsonDocument.Parse(record.Value).RootElement.GetProperty("service_id").GetString().ShouldBe(TheService.ToString());
    }
}
