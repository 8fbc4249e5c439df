namespace Belfry.Testing;

/// <summary>
/// Something the runtime promises, fed with what was seen and asked at the end. Not thread-safe: feed it from one thread or under a lock.
/// Source: line/decaton ProcessorTestSuite.
/// </summary>
public abstract class Guarantee
{
    private const int ViolationsMax = 20;
    private readonly List<string> _violations = [];

    /// <summary>What was broken so far, at most 20 lines.</summary>
    public IReadOnlyList<string> Violations => _violations;

    /// <exception cref="GuaranteeException">The promise was broken.</exception>
    public void Verify()
    {
        Conclude();
        if (_violations.Count > 0) throw new GuaranteeException($"{GetType().Name} is broken: {string.Join("; ", _violations)}");
    }

    /// <summary>Adds what can only be said at the end.</summary>
    protected virtual void Conclude()
    {
    }

    protected void Violated(string what)
    {
        if (_violations.Count < ViolationsMax) _violations.Add(what);
    }
}

/// <summary>A guarantee was broken; the message says which and how.</summary>
public sealed class GuaranteeException(string message) : Exception(message);
