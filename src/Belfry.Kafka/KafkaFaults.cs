using Belfry.Log;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Kafka;

/// <summary>What an error of the client means to a user of the seam.</summary>
internal static class KafkaFaults
{
    /// <summary>Says nothing about the log: a partition was let go of a moment ago, or there was nothing to commit.</summary>
    public static bool IsBenign(Error error) =>
        error.Code is ErrorCode.Local_State or ErrorCode.Local_NoOffset or ErrorCode.Local_PartitionEOF;

    /// <summary>The consumer cannot go on: only a new one can.</summary>
    public static bool EndsConsumer(Error error) =>
        error.IsFatal || error.Code is ErrorCode.Local_MaxPollExceeded or ErrorCode.Local_Fatal or ErrorCode.FencedInstanceId;

    /// <summary>There is no such topic, or nobody leads it yet.</summary>
    public static bool IsAway(Error error) => error.Code is
        ErrorCode.UnknownTopicOrPart or ErrorCode.LeaderNotAvailable or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition;

    /// <summary>Nobody has ever been in the group.</summary>
    public static bool IsNoGroup(ListConsumerGroupOffsetsException fault) =>
        fault.Error.Code == ErrorCode.GroupIdNotFound || fault.Results.Exists(result => result.Error.Code == ErrorCode.GroupIdNotFound);

    /// <summary>The broker asked is not the group's coordinator, or not yet.</summary>
    public static bool IsNoCoordinator(Error error) => error.Code is
        ErrorCode.NotCoordinatorForGroup or ErrorCode.GroupCoordinatorNotAvailable or ErrorCode.GroupLoadInProgress;

    /// <summary>The group has gone on without this member.</summary>
    public static bool IsLoss(Error error) =>
        error.Code is ErrorCode.UnknownMemberId or ErrorCode.IllegalGeneration or ErrorCode.FencedInstanceId or ErrorCode.StaleMemberEpoch
            or ErrorCode.FencedMemberEpoch or ErrorCode.Local_Fenced or ErrorCode.Local_AssignmentLost;

    /// <summary>
    /// Makes a client, which reads the files of the security settings: they may not be the ones any more that the log began with.
    /// </summary>
    /// <exception cref="LogUnavailableException">The client refuses its settings.</exception>
    public static T Make<T>(Func<T> build)
    {
        try
        {
            return build();
        }
        catch (Exception fault) when (fault is KafkaException or InvalidOperationException)
        {
            throw new LogUnavailableException($"Kafka's client refuses its settings: {fault.Message}", fault);
        }
    }

    /// <summary>Nobody has answered, which a connection that did not come about may be the reason of.</summary>
    public static bool IsSilence(Error error) => error.Code is
        ErrorCode.Local_TimedOut or ErrorCode.Local_MsgTimedOut or ErrorCode.Local_TimedOutQueue or ErrorCode.Local_AllBrokersDown
            or ErrorCode.Local_Transport or ErrorCode.Local_WaitCoord;

    public static LogUnavailableException Unavailable(string what, KafkaException fault, ClientVoice voice) =>
        Unavailable(what, Cause(fault), voice, fault);

    public static LogUnavailableException Unavailable(string what, Error error, ClientVoice voice, Exception? inner = null) =>
        new($"{what}: {error.Reason} ({error.Code}){(IsSilence(error) ? voice.Why() : "")}", inner);

    /// <summary>The error itself, or where several things were asked for, the first one's that was refused, with its name.</summary>
    public static Error Cause(KafkaException fault)
    {
        var (what, error) = Parts(fault).FirstOrDefault(part => part.Error is { IsError: true });
        return error is null ? fault.Error : what.Length == 0 ? error : new Error(error.Code, $"{what}: {error.Reason}");
    }

    /// <summary>The brokers refuse a right.</summary>
    public static bool IsNoRight(Error error) => error.Code is
        ErrorCode.TopicAuthorizationFailed or ErrorCode.GroupAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed;

    /// <summary>The administration's faults say no more themselves than that some part failed.</summary>
    private static IEnumerable<(string What, Error? Error)> Parts(KafkaException fault) => fault switch
    {
        TopicPartitionOffsetException { Results: var all } => all.Select(one => ("", (Error?)one.Error)),
        DescribeTopicsException { Results.TopicDescriptions: var all } => all.Select(one => ($"topic '{one.Name}'", (Error?)one.Error)),
        DescribeConfigsException { Results: var all } => all.Select(one => ($"settings of '{one.ConfigResource.Name}'", (Error?)one.Error)),
        ListOffsetsException { Result.ResultInfos: var all } => all.Select(one => one.TopicPartitionOffsetError)
            .Select(one => ($"{one.Topic}/{one.Partition.Value}", (Error?)one.Error)),
        ListConsumerGroupsException { Results.Errors: var all } => all.Select(one => ("", (Error?)one)),
        DescribeConsumerGroupsException { Results.ConsumerGroupDescriptions: var all } =>
            all.Select(one => ($"group '{one.GroupId}'", (Error?)one.Error)),
        ListConsumerGroupOffsetsException { Results: var all } => all.SelectMany(one => one.Partitions
            .Select(p => ($"group '{one.Group}', {p.Topic}/{p.Partition.Value}", (Error?)p.Error))
            .Prepend(($"group '{one.Group}'", (Error?)one.Error))),
        _ => [],
    };
}

/// <summary>This member of the group cannot go on: the consumer must be built anew.</summary>
internal sealed class KafkaConsumerEndedException(string message, Exception? inner = null) : Exception(message, inner);
