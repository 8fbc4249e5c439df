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

    /// <summary>The group has gone on without this member.</summary>
    public static bool IsLoss(Error error) =>
        error.Code is ErrorCode.UnknownMemberId or ErrorCode.IllegalGeneration or ErrorCode.FencedInstanceId or ErrorCode.StaleMemberEpoch
            or ErrorCode.FencedMemberEpoch or ErrorCode.Local_Fenced or ErrorCode.Local_AssignmentLost;

    public static LogUnavailableException Unavailable(string what, KafkaException fault) => Unavailable(what, Cause(fault), fault);

    public static LogUnavailableException Unavailable(string what, Error error, Exception? inner = null) =>
        new($"{what}: {error.Reason} ({error.Code})", inner);

    /// <summary>The error itself, or the first of a partition's.</summary>
    public static Error Cause(KafkaException fault) => fault is TopicPartitionOffsetException { Results: var results }
        ? results.FirstOrDefault(result => result.Error.IsError)?.Error ?? fault.Error
        : fault.Error;
}

/// <summary>This member of the group cannot go on: the consumer must be built anew.</summary>
internal sealed class KafkaConsumerEndedException(string message, Exception? inner = null) : Exception(message, inner);
