namespace Belfry.Local.Services;

/// <summary>One server that Belfry needs, on loopback, with a folder of its own that outlives it.</summary>
internal abstract class LocalService
{
    protected static readonly TimeSpan StartMax = TimeSpan.FromMinutes(2);
    protected static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(50);

    /// <summary>As people write it.</summary>
    public abstract string Name { get; }

    /// <summary>The section below <c>Belfry</c> that names it, and the setting of it that says where it is.</summary>
    public abstract (string Section, string Address) Key { get; }

    /// <summary>Where it listens, for people.</summary>
    public abstract string Address { get; }

    /// <summary>What of the section the server needs to use it.</summary>
    public abstract IReadOnlyList<(string Key, string Value)> Settings { get; }

    /// <summary>What is not installed and how to get it, as a sentence; null: everything is there.</summary>
    public abstract string? Missing();

    /// <summary>Returns once it serves. One that serves already is left alone.</summary>
    /// <exception cref="InvalidOperationException">It does not start; says why.</exception>
    public abstract Task StartAsync(CancellationToken cancel);

    /// <summary>Returns once it has ended. One that does not run is left alone.</summary>
    public abstract Task StopAsync(CancellationToken cancel);

    /// <summary>True: it answers.</summary>
    public abstract Task<bool> IsUpAsync(CancellationToken cancel);
}
