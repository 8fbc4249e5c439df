using Belfry.Log;

namespace Belfry.Server.Hosting;

/// <summary>
/// Whether an event that came now could be made durable: the log answers, or the store does where there is a detour to it (design section
/// 6). Asks each at most once a second and one question at a time, however often it is asked itself, for anybody may ask; a question that
/// hangs is left to the driver's own limits and counts as not answered until it ends. Any thread.
/// </summary>
/// <param name="askLog">Completes once the log has answered.</param>
/// <param name="askStore">Likewise the store; null where it takes no events.</param>
/// <param name="time">The clock of its limits.</param>
internal sealed class AcceptProbe(Func<Task> askLog, Func<Task>? askStore, TimeProvider time)
{
    /// <summary>Of each question; they run side by side. Below the two seconds that balancers commonly wait.</summary>
    public static readonly TimeSpan AnswerMax = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    private readonly Question[] _questions =
        askStore is null ? [new Question(askLog, time)] : [new Question(askLog, time), new Question(askStore, time)];

    /// <summary>At once from what was answered within the last second, else within <see cref="AnswerMax"/>.</summary>
    public async Task<bool> HoldsAsync()
    {
        var answers = _questions.Select(question => question.AskAsync()).ToList();
        while (answers.Count > 0)
        {
            var first = await Task.WhenAny(answers);
            if (await first) return true;
            answers.Remove(first);
        }

        return false;
    }

    private sealed class Question(Func<Task> ask, TimeProvider time)
    {
        private readonly Lock _lock = new();

        // Under the lock.
        private Task _asked = Task.CompletedTask;
        private Task<bool>? _answer;
        private long _askedAt;

        public Task<bool> AskAsync()
        {
            lock (_lock)
            {
                if (_answer is { } kept && (!kept.IsCompleted || time.GetElapsedTime(_askedAt) < KeptFor)) return kept;
                if (_answer is { } late && !_asked.IsCompleted) return late;
                _askedAt = time.GetTimestamp();
                _asked = AskedAsync();
                return _answer = AnsweredAsync(_asked);
            }
        }

        /// <summary>Whatever it throws comes out of the task, not of the call.</summary>
        private async Task AskedAsync() => await ask();

        private async Task<bool> AnsweredAsync(Task asked)
        {
            using var late = new CancellationTokenSource(AnswerMax, time);
            try
            {
                await asked.OrCancelledAsync(late.Token);
                return true;
            }
            catch (Exception)
            {
                // Why it does not answer is told by the hops that need it.
                return false;
            }
        }
    }
}
