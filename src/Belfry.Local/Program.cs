using System.Runtime.InteropServices;
using Belfry.Local;

const string Usage = """
    belfry-local: what the clustered shape needs, on this machine, for trying and developing. It touches no service of the system.

      services [start|stop|status] [--dir DIR] [--brokers 1|3] [--kafka-port N] [--postgres-port N] [--redis-port N]
                           Kafka, PostgreSQL and Redis on loopback, all they keep under DIR (./belfry-services);
                           DIR/belfry.json is a --config for the server
      run [--instances N] [--brokers 1|3] [--services DIR] [option of the server]...
                           N instances of the server (1), their data in DATA/1 to DATA/N, their ports one after another; Kafka,
                           PostgreSQL and Redis are those of the configuration, else local ones in DIR (DATA/services)
    """;

// Not disposed of: a signal's handler may still run once its registration has ended, and would throw where nobody catches it.
var stop = new CancellationTokenSource();
var hurry = new CancellationTokenSource();
// The first signal stops in order, a second one at once.
PosixSignalRegistration[] signals =
[
    .. ((PosixSignal[])[PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP]).Select(
        signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (stop.IsCancellationRequested) hurry.Cancel();
            else stop.Cancel();
        })),
];
try
{
    switch (args)
    {
        case ["services", .. var rest]:
            return await ServicesCommand.RunAsync(rest, TimeProvider.System, stop.Token);
        case ["run", .. var rest]:
            return await RunCommand.RunAsync(rest, TimeProvider.System, stop.Token, hurry.Token);
        default:
            Console.WriteLine(Usage);
            return args is ["--help"] or ["help"] ? 0 : 2;
    }
}
catch (UsageException fault)
{
    await Console.Error.WriteLineAsync($"{fault.Message}\nbelfry-local --help lists the options.");
    return 2;
}
catch (Exception fault) when (fault is InvalidOperationException or IOException or UnauthorizedAccessException)
{
    // What its own text is enough to mend.
    await Console.Error.WriteLineAsync(fault.Message);
    return 1;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    return 130;
}
finally
{
    foreach (var signal in signals) signal.Dispose();
}
