using System.Net;
using System.Text;
using Belfry.Alerting.People;
using Microsoft.AspNetCore.Antiforgery;

namespace Belfry.Server.Security;

/// <summary>
/// The pages before sign-in, and refusals. They depend on nothing that could fail, and look right once <c>/belfry.css</c> is there.
/// </summary>
internal static class SignInPages
{
    public static IResult Login(
        AntiforgeryTokenSet tokens, string returnUrl, string email, IReadOnlyList<string> faults, int status = 200) =>
        Page("Sign in", status, $"""
            {Faults(faults)}
            <form method="post" action="/login">
              {Token(tokens)}
              <input type="hidden" name="return_url" value="{Text(returnUrl)}">
              <label for="email">Mail address</label>
              <input id="email" name="email" type="email" autocomplete="username" required value="{Text(email)}">
              <label for="password">Password</label>
              <input id="password" name="password" type="password" autocomplete="current-password" required>
              <button type="submit">Sign in</button>
            </form>
            """);

    public static IResult Setup(
        AntiforgeryTokenSet tokens, User? invited, string name, string email, IReadOnlyList<string> faults, int status = 200) =>
        Page(invited is null ? "Set up Belfry" : "Choose a password", status, $"""
            {Faults(faults)}
            <p>{For(invited)}</p>
            <form method="post">
              {Token(tokens)}
              {(invited is null ? NameAndEmail(name, email) : "")}
              <label for="password">Password, 12 characters or more</label>
              <input id="password" name="password" type="password" autocomplete="new-password" minlength="12" maxlength="256" required>
              <button type="submit">Continue</button>
            </form>
            """);

    public static IResult LinkEnded() =>
        Page(
            "This link has ended", StatusCodes.Status404NotFound,
            "<p>It has been used, or is too old. Ask for a new one, or restart the server to get a new set-up link.</p>");

    public static IResult Refused(string reason) => Page("That was not done", StatusCodes.Status403Forbidden, $"""
        <p role="alert">{Text(reason)}</p>
            <p><a class="button" href="/">Go to the incidents</a></p>
        """);

    /// <summary>503 and 500. What a form asked for may have been done all the same.</summary>
    public static IResult NotNow(int status, bool reading) => Page("Not now", status, $"""
        <p role="alert">{(status == StatusCodes.Status503ServiceUnavailable
            ? "Belfry cannot reach its log or its store at the moment. It is tried again all the time; so should you, in a few seconds."
            : "Belfry failed at this. Its diagnostics say why.")}</p>
            {(reading ? "" : "<p>What you asked for may or may not have been done: look before you ask again.</p>")}
            <p><a class="button" href="/">Go to the incidents</a></p>
        """);

    private static string For(User? invited) =>
        invited is null ? "You are the first: this makes you the administrator." : $"For {Text(invited.Name)}, {Text(invited.Email)}.";

    private static string NameAndEmail(string name, string email) => $"""
        <label for="name">Name</label>
              <input id="name" name="name" autocomplete="name" maxlength="255" required value="{Text(name)}">
              <label for="email">Mail address</label>
              <input id="email" name="email" type="email" autocomplete="email" required value="{Text(email)}">
        """;

    private static string Faults(IReadOnlyList<string> faults) => faults.Count == 0
        ? ""
        : $"<div role=\"alert\" class=\"faults\">{string.Concat(faults.Select(fault => $"<p>{Text(fault)}</p>"))}</div>";

    private static string Token(AntiforgeryTokenSet tokens) =>
        $"<input type=\"hidden\" name=\"{Text(tokens.FormFieldName)}\" value=\"{Text(tokens.RequestToken)}\">";

    private static string Text(string? text) => WebUtility.HtmlEncode(text ?? "");

    private static IResult Page(string title, int status, string content) => Results.Text($"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>{Text(title)} · Belfry</title>
          <link rel="icon" href="/belfry.svg" type="image/svg+xml">
          <link rel="stylesheet" href="/belfry.css">
        </head>
        <body class="plain">
          <main>
            <p class="brand"><img src="/belfry.svg" alt="" width="28" height="28">Belfry</p>
            <h1>{Text(title)}</h1>
            {content}
          </main>
        </body>
        </html>
        """, "text/html; charset=utf-8", Encoding.UTF8, status);
}
