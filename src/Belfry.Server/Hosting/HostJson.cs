using System.Text.Json.Serialization;
using Belfry.Server.Security;

namespace Belfry.Server.Hosting;

/// <summary>The host's own JSON answers, in snake case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HealthDetails))]
[JsonSerializable(typeof(ConsumerDetails))]
[JsonSerializable(typeof(TokenList))]
[JsonSerializable(typeof(IssuedToken))]
[JsonSerializable(typeof(NewToken))]
[JsonSerializable(typeof(SessionList))]
[JsonSerializable(typeof(IssuedInvitation))]
internal sealed partial class HostJson : JsonSerializerContext;
