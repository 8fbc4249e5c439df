using Microsoft.Extensions.Logging;

namespace Belfry.Testing;

/// <summary>What was logged, each line with the fault's own message behind it. Any thread.</summary>
internal sealed class Said : ILogger
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock) return [.. _lines];
        }
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_lock) _lines.Add($"{logLevel}: {formatter(state, exception)}{(exception is null ? "" : $": {exception.Message}")}");
    }
}
