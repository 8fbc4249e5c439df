namespace Belfry.Alerting.Catalog;

/// <summary>What became of a change of the configuration. Only <see cref="Done"/> has changed anything.</summary>
public abstract record ChangeResult<T>
{
    private ChangeResult()
    {
    }

    /// <summary>Durable, audited, and in <see cref="CatalogReader.Current"/> of this process.</summary>
    public sealed record Done(T Value) : ChangeResult<T>;

    /// <summary>Refused: every fault at once, one sentence each.</summary>
    public sealed record Invalid(IReadOnlyList<string> Faults) : ChangeResult<T>;

    /// <summary>There is no such thing, such as <c>service 0190…</c>.</summary>
    public sealed record Missing(string What) : ChangeResult<T>;

    /// <summary>Not deleted: others refer to it. <paramref name="By"/> names them, such as <c>service 'Billing'</c>; never empty.</summary>
    public sealed record InUse(string What, IReadOnlyList<string> By) : ChangeResult<T>;

    /// <summary>One sentence for people; empty when done.</summary>
    public string Explanation => this switch
    {
        Invalid invalid => string.Join(" ", invalid.Faults),
        Missing missing => $"There is no {missing.What}.",
        InUse used => $"{used.What} is in use by {string.Join(", ", used.By)}; change that first.",
        _ => "",
    };
}

/// <summary>One page of a list and the size of the whole list.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items, long Total);

/// <summary>Who changes the configuration, for the audit log.</summary>
/// <param name="UserId">Null for the command line and for set-up.</param>
/// <param name="Name">As it is to be read later, when the user may be gone.</param>
/// <param name="Address">Where the request came from, when it came from somewhere.</param>
public sealed record Actor(UserId? UserId, string Name, string? Address = null);
