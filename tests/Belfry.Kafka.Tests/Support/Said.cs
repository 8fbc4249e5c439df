using Microsoft.Extensions.Logging;

namespace Belfry.Kafka.Tests;

/// <summary>What was logged, each line with the fault's own message behind it. Any thread.</summary>
internal sealed class Said : ILogger
{
    public Watched<string> Lines { get; } = new();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Add(formatter(state, exception) + (exception is null ? "" : $": {exception.Message}"));
}
