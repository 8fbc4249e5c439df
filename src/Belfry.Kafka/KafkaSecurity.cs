using System.Text;

namespace Belfry.Kafka;

/// <summary>How a client proves who it is.</summary>
public enum KafkaLogin
{
    /// <summary>Not at all, or by its TLS certificate.</summary>
    None,

    /// <summary>User and password as they are; only over TLS.</summary>
    Plain,

    /// <summary>SCRAM with SHA-256.</summary>
    ScramSha256,

    /// <summary>SCRAM with SHA-512.</summary>
    ScramSha512,
}

/// <summary>
/// Encryption and identity towards the brokers. With TLS the brokers' certificates are checked against the machine's authorities (or
/// <see cref="CaFile"/>) and against their names; there is no way to leave that out.
/// </summary>
public sealed record KafkaSecurity
{
    /// <summary>Encrypts. Default false.</summary>
    public bool Tls { get; init; }

    /// <summary>Certificates of the authorities to trust instead of the machine's, PEM. Default: the machine's.</summary>
    public string? CaFile { get; init; }

    /// <summary>
    /// This client's certificate, PEM, and behind it those of the authorities between it and the one that the brokers trust; needs
    /// <see cref="KeyFile"/>. Default: none.
    /// </summary>
    public string? CertificateFile { get; init; }

    /// <summary>The private key of <see cref="CertificateFile"/>, PEM; where it is encrypted, as PKCS #8.</summary>
    public string? KeyFile { get; init; }

    /// <summary>What the key file is encrypted with; of no interest where it is not. Default: it is not.</summary>
    public string? KeyPassword { get; init; }

    /// <summary>Default <see cref="KafkaLogin.None"/>.</summary>
    public KafkaLogin Login { get; init; }

    /// <summary>For all logins but none. Kafka's brokers know no SCRAM user whose name is not ASCII.</summary>
    public string? User { get; init; }

    /// <summary>For all logins but none.</summary>
    public string? Password { get; init; }

    internal IEnumerable<string> Faults()
    {
        if (!Enum.IsDefined(Login)) yield return $"Security.Login is {Login}, which is unknown";
        if (Login == KafkaLogin.Plain && !Tls)
            yield return "Security.Login is Plain without Tls, which would send the password in the clear";
        if (Login != KafkaLogin.None && (string.IsNullOrEmpty(User) || string.IsNullOrEmpty(Password)))
            yield return $"Security.Login is {Login}, so User and Password are needed";
        if (Login == KafkaLogin.None && (User is not null || Password is not null))
            yield return "Security.User or Password is set, but Login is None";
        if (!Tls && (CaFile ?? CertificateFile ?? KeyFile) is not null) yield return "Security names files of TLS, but Tls is off";
        if (CertificateFile is null != KeyFile is null) yield return "Security.CertificateFile and KeyFile are needed together";
        foreach (var file in new[] { CaFile, CertificateFile, KeyFile })
            if (file is not null && !File.Exists(file)) yield return $"Security names '{file}', which does not exist";
    }

    // What is logged must not hold a password.
    private bool PrintMembers(StringBuilder text)
    {
        text.Append($"Tls = {Tls}, Login = {Login}, User = {User}");
        return true;
    }
}
