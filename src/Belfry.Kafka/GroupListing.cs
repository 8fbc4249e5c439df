using Belfry.Log;

namespace Belfry.Kafka;

/// <summary>
/// The groups that a broker coordinates, by ListGroups (API key 16, version 3). Asked for by ourselves: where a broker does not answer, or
/// refuses, Confluent.Kafka 2.15.1 frees the client's error twice (<c>AdminClient.extractListConsumerGroupsResults</c>), and the process
/// ends. Source: Apache Kafka, ListGroupsRequest.json and ListGroupsResponse.json.
/// </summary>
internal static class GroupListing
{
    internal const short ApiKey = 16;

    // The coordinator's, while it reads what its predecessor left.
    private const short LoadInProgress = 14;
    private const short NotAvailable = 15;

    /// <summary>Some 200,000 groups.</summary>
    internal const int AnswerBytesMax = 16 << 20;

    /// <summary>Of consumers, and of those that only commit; others have protocols of their own.</summary>
    private const string Consumers = "consumer";

    private static readonly TimeSpan AskAgainFirst = TimeSpan.FromMilliseconds(100);

    /// <summary>The names of the groups that consume. A broker that takes groups over from another one is asked again.</summary>
    /// <exception cref="LogUnavailableException">Not answered within the request timeout, or refused.</exception>
    public static async Task<IReadOnlyList<string>> AskAsync(
        KafkaLogOptions options, string host, int port, TimeProvider time, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(options.RequestTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        short error = 0;
        try
        {
            await using var connection = await BrokerConnection.OpenAsync(options, host, port, either.Token);
            for (var wait = AskAgainFirst; ; wait *= 2)
            {
                // It has no fields but tags.
                (var names, error) = await connection.AskAsync(ApiKey, version: 3, body: [0], AnswerBytesMax, (answer, bytes) => Read(
                    new WireReader(answer ?? throw new InvalidDataException(
                        $"its list of groups has {bytes} bytes, of which at most {AnswerBytesMax} are read"))), either.Token);
                if (error == 0) return names;
                if (error is not (LoadInProgress or NotAvailable)) throw Refused(null);
                await Task.Delay(wait, time, either.Token);
            }
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw error == 0
                ? new LogUnavailableException($"Broker {host}:{port} did not answer within {options.RequestTimeout}.", fault)
                : Refused(fault);
        }

        LogUnavailableException Refused(Exception? fault) =>
            new($"Broker {host}:{port} does not list its groups (error {error}).", fault);
    }

    /// <summary>Reads a whole answer, without its header.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    internal static (IReadOnlyList<string> Names, short Error) Read(WireReader wire)
    {
        wire.Int32();
        if (wire.Int16() is not 0 and var error) return ([], error);
        var names = new List<string>();
        for (var groups = wire.CompactCount(); groups > 0; groups--)
        {
            var name = wire.CompactText();
            if (wire.CompactText() is null or "" or Consumers && name is not null) names.Add(name);
            wire.SkipTags();
        }

        wire.SkipTags();
        return (names, 0);
    }
}
