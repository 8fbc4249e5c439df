namespace Belfry.Redis.Tests;

/// <summary>
/// A test on a real Redis: the one that <c>BELFRY_TEST_REDIS</c> names, else one of our own. Without either it skips with the way to
/// install it, and fails when CI=true.
/// </summary>
public class RedisFactAttribute : FactAttribute
{
    public RedisFactAttribute()
        : this(RedisServer.Given is not null)
    {
    }

    protected RedisFactAttribute(bool given)
    {
        if (!given && RedisServer.Missing is { } missing && Environment.GetEnvironmentVariable("CI") != "true") Skip = missing;
    }
}

/// <summary>A test that stops, empties or sets up its Redis: always one of our own.</summary>
public sealed class OwnRedisFactAttribute() : RedisFactAttribute(given: false);
