namespace Belfry.Local;

/// <summary>The command line cannot be followed; names all faults.</summary>
internal sealed class UsageException(string message) : Exception(message);
