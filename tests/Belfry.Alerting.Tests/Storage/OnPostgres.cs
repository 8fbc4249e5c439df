using Belfry.Alerting.Tests.Access;
using Belfry.Alerting.Tests.Catalog;
using Belfry.Alerting.Tests.Incidents;
using Belfry.Alerting.Tests.People;
using Belfry.Alerting.Tests.Timeline;

namespace Belfry.Alerting.Tests.Storage;

public sealed class AccessStoreOnPostgresTests() : AccessStoreTests(TestStore.OnPostgres);

public sealed class AlertingSchemaOnPostgresTests() : AlertingSchemaTests(TestStore.OnPostgres);

public sealed class CatalogReaderOnPostgresTests() : CatalogReaderTests(TestStore.OnPostgres);

public sealed class CatalogStoreOnPostgresTests() : CatalogStoreTests(TestStore.OnPostgres);

public sealed class EventStatePruneOnPostgresTests() : EventStatePruneTests(TestStore.OnPostgres);

public sealed class EventLookupOnPostgresTests() : EventLookupTests(TestStore.OnPostgres);

public sealed class IncidentDirectoryOnPostgresTests() : IncidentDirectoryTests(TestStore.OnPostgres);

public sealed class IncidentFoldOnPostgresTests() : IncidentFoldTests(TestStore.OnPostgres);

public sealed class MigrationOnPostgresTests() : MigrationTests(TestStore.OnPostgres);

public sealed class PeopleStoreOnPostgresTests() : PeopleStoreTests(TestStore.OnPostgres);

public sealed class ScheduleStoreOnPostgresTests() : ScheduleStoreTests(TestStore.OnPostgres);

public sealed class TimelineOnPostgresTests() : TimelineTests(TestStore.OnPostgres);
