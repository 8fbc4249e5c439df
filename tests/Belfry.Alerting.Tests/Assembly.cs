[assembly: TestFramework("Belfry.Postgres.Tests.SkippingFramework", "Belfry.Alerting.Tests")]
