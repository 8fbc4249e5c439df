namespace Belfry.Log;

/// <summary>
/// What one look asks of the log: a few questions side by side, each within a limit. One that is not answered ends its row, so no more go
/// unanswered than there are rows, and nothing is asked any more after the last. What was not asked is as unknown as what was not answered.
/// </summary>
internal sealed class LogQuestions(ConsumerMonitorOptions options, TimeProvider time, Action<string> notAnswered)
{
    private readonly Lock _lock = new();

    // Under the lock.
    private int _unanswered;

    public bool AllAnswered
    {
        get
        {
            lock (_lock) return _unanswered == 0;
        }
    }

    /// <summary>Asks for each key once, in order; returns the answers that came.</summary>
    public async ValueTask<Dictionary<TKey, TAnswer>> AskEachAsync<TKey, TAnswer>(
        IEnumerable<TKey> keys, Func<TKey, CancellationToken, ValueTask<TAnswer>> ask, CancellationToken cancel) where TKey : notnull
    {
        var waiting = new Queue<TKey>(keys.Distinct());
        var answers = new Dictionary<TKey, TAnswer>();
        int rows;
        lock (_lock) rows = Math.Min(options.UnansweredMax - _unanswered, waiting.Count);
        var asking = new List<Task>();
        for (var row = 0; row < rows; row++) asking.Add(AskInRowAsync());
        foreach (var row in asking) await row;
        return answers;

        async Task AskInRowAsync()
        {
            while (true)
            {
                TKey? key;
                lock (_lock)
                    if (!waiting.TryDequeue(out key)) return;
                if (await AskAsync(async limit => new Answer<TAnswer>(await ask(key, limit)), cancel) is not { } answer) return;
                lock (_lock) answers.Add(key, answer.Value);
            }
        }
    }

    /// <summary>Null: not answered.</summary>
    private async Task<Answer<T>?> AskAsync<T>(Func<CancellationToken, Task<Answer<T>>> ask, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(options.AnswerTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        try
        {
            return await ask(either.Token).OrCancelledAsync(either.Token);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            bool isFirst;
            lock (_lock) isFirst = _unanswered++ == 0;
            if (isFirst) notAnswered(fault.Message);
            return null;
        }
    }

    private sealed record Answer<T>(T Value);
}
