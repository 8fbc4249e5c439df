using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Belfry.Drill.Topology;

/// <summary>
/// Asks the coordinators of groups. The native client (2.15.1) goes on looking for a coordinator whose question has reached the client's
/// limit, and ends the process when that is back; and one for administration does so on the answer of a broker that is no coordinator any
/// more. So this one is a consumer's, keeps its own limit, and is given up with a question that is not answered, as that of
/// <c>KafkaInspector</c>. One caller at a time.
/// </summary>
internal sealed class CoordinatorClient(string bootstrap, TimeSpan answerMax) : IDisposable
{
    public static readonly TimeSpan NoLimitOfTheClient = TimeSpan.FromHours(1);
    private IConsumer<byte[], byte[]>? _client;

    /// <param name="ask">With <see cref="NoLimitOfTheClient"/> as the request's limit.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="TimeoutException">Not answered within the limit.</exception>
    public async Task<T> AskAsync<T>(Func<IAdminClient, Task<T>> ask, CancellationToken cancel)
    {
        var answered = false;
        try
        {
            _client ??= new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig { BootstrapServers = bootstrap, GroupId = "drill-asks" })
                .SetLogHandler((_, _) => { }).Build();
            using var admin = new DependentAdminClientBuilder(_client.Handle).Build();
            var answer = await ask(admin).WaitAsync(answerMax, TimeProvider.System, cancel);
            answered = true;
            return answer;
        }
        finally
        {
            if (!answered) Dispose();
        }
    }

    public void Dispose()
    {
        _client?.Dispose();
        _client = null;
    }
}
