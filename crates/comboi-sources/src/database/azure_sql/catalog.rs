//! What the server is asked about itself.

/// A line of version, the database, the login.
pub(super) const ABOUT: &str = "SELECT CASE WHEN CONVERT(int, SERVERPROPERTY('EngineEdition')) IN (5, 8) THEN N'Azure SQL ' ELSE N'SQL Server ' END \
    + CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) \
    + CASE WHEN CONVERT(nvarchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) = N'READ_ONLY' THEN N', a replica' ELSE N'' END, \
    CONVERT(nvarchar(128), DB_NAME()), CONVERT(nvarchar(128), SUSER_SNAME())";

/// What every session begins with: forms of values and texts that do not depend on the login's language, rows of any
/// length, and no waiting for a lock for ever. Comboi gives way in a deadlock.
pub(super) const SESSION: &str = "SET NOCOUNT, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON; \
    SET NUMERIC_ROUNDABORT OFF; SET LANGUAGE us_english; SET DATEFORMAT ymd; SET TEXTSIZE 2147483647; SET ROWCOUNT 0; \
    SET LOCK_TIMEOUT 30000; SET DEADLOCK_PRIORITY LOW; SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Which session this is, and whether the database lets readers see one state of it.
pub(super) const STATE: &str = "SELECT CONVERT(varchar(10), @@SPID), \
    (SELECT CONVERT(varchar(3), snapshot_isolation_state) FROM sys.databases WHERE database_id = DB_ID())";

/// From here on everything is read in one state of the database, which the first statement takes.
pub(super) const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION";

/// Whether a session is at work: `t`, `f`, or NULL where the login may not know. `{}` is its number.
pub(super) const AT_WORK: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM sys.dm_exec_requests WHERE session_id = {}) THEN 't' \
    WHEN HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') = 1 OR HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DATABASE STATE') = 1 THEN 'f' END";

/// The time, the start of the oldest transaction, whether all of them can be seen, and the start of the oldest that has written. What is open in this database may
/// still write, except our own connections, which only read: those with this program name, machine and login, and those
/// of any other comboi, as long as they have written nothing. A transaction without a session is one that a
/// coordinator has prepared.
/// East of Greenwich its local time is not told, so that the time of Greenwich bounds reading: see `again` in `others.rs`.
///
/// The server notes the start of a transaction in its local time, to 3⅓ milliseconds, so only its age can be computed.
/// Clocks may have gone back an hour since, also where local time is UTC now (London, in the night of the last Sunday of
/// October). A transaction that is older than a minute, or that begins in the future, counts as an hour older. One that
/// still begins in the future then, because somebody set the clock back, may have begun at any time: its start is given
/// as 1970, so that it never counts as ended. A login that lacks the right gets an error, which is caught.
pub(super) const OPEN_TRANSACTIONS: &str = "BEGIN TRY \
    EXEC sp_executesql N'\
    DECLARE @utc datetime2(7) = SYSUTCDATETIME(), @local datetime2(7) = SYSDATETIME(); \
    DECLARE @now bigint = DATEDIFF_BIG(MICROSECOND, ''1970-01-01'', @utc); \
    DECLARE @age bigint, @written bigint; \
    SELECT @age = MAX(CASE WHEN a.age < -3600000000 THEN @now \
    WHEN a.age < 0 OR a.age >= 60000000 THEN a.age + 3600000000 ELSE a.age END), \
    @written = NULLIF(MAX(CASE WHEN w.records IS NULL OR a.age < -3600000000 THEN -1 WHEN a.age < 0 THEN a.age + 3600000000 ELSE a.age END), -1) \
    FROM sys.dm_tran_active_transactions AS t \
    CROSS APPLY (SELECT DATEDIFF_BIG(MICROSECOND, t.transaction_begin_time, @local) + 4000 AS age) AS a \
    OUTER APPLY (SELECT MAX(d.database_transaction_log_record_count) AS records FROM sys.dm_tran_database_transactions AS d \
    WHERE d.transaction_id = t.transaction_id AND d.database_id = DB_ID() AND d.database_transaction_log_record_count > 0) AS w \
    LEFT JOIN sys.dm_tran_session_transactions AS st ON st.transaction_id = t.transaction_id \
    LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = st.session_id \
    LEFT JOIN sys.dm_exec_sessions AS me ON me.session_id = @@SPID \
    WHERE t.transaction_type IN (1, 4) AND (st.session_id IS NULL OR st.session_id <> @@SPID) \
    AND (s.database_id = DB_ID() OR EXISTS (SELECT 1 FROM sys.dm_tran_database_transactions AS d WHERE d.transaction_id = t.transaction_id AND d.database_id = DB_ID())) \
    AND (st.session_id IS NOT NULL OR t.transaction_type = 4) \
    AND NOT ((ISNULL(s.program_name, N'''') = N''comboi'' OR ISNULL(CASE WHEN s.program_name = me.program_name AND s.login_name = me.login_name \
    AND ISNULL(s.host_name, N'''') = ISNULL(me.host_name, N'''') AND ISNULL(s.host_process_id, 0) = ISNULL(me.host_process_id, 0) THEN 1 END, 0) = 1) \
    AND NOT EXISTS (SELECT 1 FROM sys.dm_tran_database_transactions AS d WHERE d.transaction_id = t.transaction_id AND d.database_transaction_log_record_count > 0)); \
    SELECT CONVERT(varchar(20), @now), CONVERT(varchar(20), @now - @age), \
    CASE WHEN CONVERT(nvarchar(20), DATABASEPROPERTYEX(DB_NAME(), ''Updateability'')) = N''READ_ONLY'' THEN ''f'' ELSE ''t'' END, \
    CONVERT(varchar(20), NULL), CASE WHEN @local < DATEADD(MINUTE, -10, @utc) THEN CONVERT(varchar(20), DATEDIFF_BIG(MICROSECOND, ''1970-01-01'', @local)) END, \
    CONVERT(varchar(20), NULL), CONVERT(varchar(20), @now - @written)' \
    END TRY BEGIN CATCH \
    SELECT CONVERT(varchar(20), DATEDIFF_BIG(MICROSECOND, '1970-01-01', SYSUTCDATETIME())), CONVERT(varchar(20), NULL), 'f' \
    END CATCH";

/// Tables and views that the login may read, a row for each column.
pub(super) const CATALOG: &str = "SELECT s.name, o.name, CASE o.type WHEN 'V' THEN 'view' ELSE 'table' END, \
    CONVERT(varchar(20), (SELECT SUM(p.rows) FROM sys.partitions AS p WHERE p.object_id = o.object_id AND p.index_id IN (0, 1))), \
    c.name, \
    CASE WHEN ty.name = 'timestamp' THEN 'rowversion' \
    WHEN ty.name IN ('char', 'varchar', 'binary', 'varbinary') THEN ty.name + '(' + CASE c.max_length WHEN -1 THEN 'max' ELSE CONVERT(varchar(5), c.max_length) END + ')' \
    WHEN ty.name IN ('nchar', 'nvarchar') THEN ty.name + '(' + CASE c.max_length WHEN -1 THEN 'max' ELSE CONVERT(varchar(5), c.max_length / 2) END + ')' \
    WHEN ty.name IN ('decimal', 'numeric') THEN ty.name + '(' + CONVERT(varchar(3), c.precision) + ',' + CONVERT(varchar(3), c.scale) + ')' \
    WHEN ty.name IN ('time', 'datetime2', 'datetimeoffset') THEN ty.name + '(' + CONVERT(varchar(3), c.scale) + ')' \
    ELSE ty.name END, \
    CASE c.is_nullable WHEN 1 THEN 't' ELSE 'f' END, CONVERT(varchar(5), k.key_ordinal) \
    FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
    JOIN sys.columns AS c ON c.object_id = o.object_id \
    JOIN sys.types AS ty ON ty.user_type_id = CASE c.system_type_id WHEN 240 THEN c.user_type_id ELSE c.system_type_id END \
    LEFT JOIN (SELECT i.object_id, ic.column_id, ic.key_ordinal FROM sys.indexes AS i \
    JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id WHERE i.is_primary_key = 1) AS k \
    ON k.object_id = o.object_id AND k.column_id = c.column_id \
    WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT') = 1 \
    ORDER BY s.name, o.name, c.column_id";
