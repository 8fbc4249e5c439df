using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Belfry.Postgres.Tests;

/// <summary>
/// Tests of a conformance suite are plain facts, and a missing server shows only when one asks for it: a failure that is a
/// <see cref="Xunit.SkipException"/> becomes a skip with its message.
/// </summary>
public sealed class SkippingFramework(IMessageSink messages) : XunitTestFramework(messages)
{
    protected override ITestFrameworkExecutor CreateExecutor(AssemblyName assemblyName) =>
        new Executor(assemblyName, SourceInformationProvider, DiagnosticMessageSink);

    private sealed class Executor(AssemblyName assembly, ISourceInformationProvider sources, IMessageSink messages)
        : XunitTestFrameworkExecutor(assembly, sources, messages)
    {
        protected override void RunTestCases(
            IEnumerable<IXunitTestCase> testCases, IMessageSink executionMessageSink, ITestFrameworkExecutionOptions executionOptions) =>
            base.RunTestCases(testCases, new Sink(executionMessageSink), executionOptions);
    }

    private sealed class Sink(IMessageSink inner) : LongLivedMarshalByRefObject, IMessageSink
    {
        public bool OnMessage(IMessageSinkMessage message) => inner.OnMessage(
            message is ITestFailed failed && failed.ExceptionTypes.Any(type => type == typeof(Xunit.SkipException).FullName)
                ? new TestSkipped(failed.Test, failed.Messages[0])
                : message);
    }
}
