[assembly: TestFramework("Belfry.Postgres.Tests.SkippingFramework", "Belfry.Postgres.Tests")]
