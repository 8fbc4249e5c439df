namespace Belfry.Alerting.Access;

/// <summary>What a password must be. Length is what counts; rules on kinds of characters are not set (NIST SP 800-63B, 5.1.1.2).</summary>
public static class PasswordRules
{
    public const int LengthMin = 12;
    public const int LengthMax = 256;

    /// <summary>All faults, one sentence each; empty when it will do.</summary>
    public static IReadOnlyList<string> FaultsOf(string password, string name, string email)
    {
        var faults = new List<string>();
        if (password.Length < LengthMin) faults.Add($"The password has {password.Length} characters; at least {LengthMin} are needed.");
        if (password.Length > LengthMax) faults.Add($"The password has {password.Length} characters; at most {LengthMax} are taken.");
        if (password.Distinct().Count() < 5 && password.Length >= LengthMin) faults.Add("The password repeats too few characters.");
        if (Same(password, email) || Same(password, name)) faults.Add("The password must not be the name or the mail address.");
        return faults;
    }

    private static bool Same(string password, string text) =>
        text.Length > 0 && string.Equals(password.Trim(), text.Trim(), StringComparison.OrdinalIgnoreCase);
}
