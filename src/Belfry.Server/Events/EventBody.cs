using System.Buffers;
using System.IO.Pipelines;
using Belfry.Alerting.Events;
using Microsoft.AspNetCore.Http.Features;

namespace Belfry.Server.Events;

internal enum BodyEnd
{
    /// <summary>Whole.</summary>
    Read,
    TooLarge,

    /// <summary>Not whole in time.</summary>
    TooSlow,

    /// <summary>Not framed as HTTP has it.</summary>
    Broken,

    /// <summary>The sender left; nobody reads an answer.</summary>
    Gone,
}

/// <summary>The body of an event request, in a rented buffer: valid until disposed.</summary>
internal readonly struct EventBody : IDisposable
{
    /// <summary>A body must be whole by then.</summary>
    private static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(20);

    /// <summary>This much of a body that is too large is read and dropped, so that its sender gets to read the answer.</summary>
    private const long DropMax = 8L << 20;
    private readonly byte[]? _rented;

    private EventBody(BodyEnd end, byte[]? rented, long size) => (End, _rented, Size) = (end, rented, size);

    public BodyEnd End { get; }

    /// <summary>In bytes; of one that is too large as announced, or as far as it was read.</summary>
    public long Size { get; }

    public ReadOnlyMemory<byte> Bytes => _rented.AsMemory(0, (int)Size);

    public static async ValueTask<EventBody> ReadAsync(HttpContext context, TimeProvider time)
    {
        // The limit here has its own answer, so the server's must not cut in before.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = null;
        var reader = context.Request.BodyReader;
        try
        {
            // Nearly every event has arrived with its headers: no timer, no wait.
            if (reader.TryRead(out var first))
            {
                if (first.IsCompleted && first.Buffer.Length <= EventParser.BodyBytesMax) return Take(reader, first.Buffer);
                reader.AdvanceTo(first.Buffer.Start, first.Buffer.End);
            }

            using var timeout = new CancellationTokenSource(TimeMax, time);
            return context.Request.ContentLength > EventParser.BodyBytesMax
                ? await DropAsync(reader, context.Request.ContentLength.Value, timeout.Token)
                : await CollectAsync(reader, timeout.Token);
        }
        catch (BadHttpRequestException fault)
        {
            return new EventBody(fault.StatusCode == StatusCodes.Status408RequestTimeout ? BodyEnd.TooSlow : BodyEnd.Broken, null, 0);
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException)
        {
            var left = fault is IOException || context.RequestAborted.IsCancellationRequested;
            return new EventBody(left ? BodyEnd.Gone : BodyEnd.TooSlow, null, 0);
        }
    }

    public void Dispose()
    {
        if (_rented is not null) ArrayPool<byte>.Shared.Return(_rented);
    }

    private static async ValueTask<EventBody> CollectAsync(PipeReader reader, CancellationToken cancel)
    {
        while (true)
        {
            var read = await reader.ReadAsync(cancel);
            if (read.Buffer.Length > EventParser.BodyBytesMax)
            {
                var size = read.Buffer.Length;
                reader.AdvanceTo(read.Buffer.End);
                return await DropAsync(reader, size, cancel, size);
            }

            if (read.IsCompleted) return Take(reader, read.Buffer);
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static EventBody Take(PipeReader reader, ReadOnlySequence<byte> buffer)
    {
        var size = (int)buffer.Length;
        var rented = ArrayPool<byte>.Shared.Rent(Math.Max(size, 1));
        buffer.CopyTo(rented);
        reader.AdvanceTo(buffer.End);
        return new EventBody(BodyEnd.Read, rented, size);
    }

    private static async ValueTask<EventBody> DropAsync(PipeReader reader, long announced, CancellationToken cancel, long dropped = 0)
    {
        while (dropped < DropMax)
        {
            var read = await reader.ReadAsync(cancel);
            dropped += read.Buffer.Length;
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        return new EventBody(BodyEnd.TooLarge, null, Math.Max(announced, dropped));
    }
}
