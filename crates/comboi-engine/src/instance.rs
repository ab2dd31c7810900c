//! One in-memory DuckDB, set up so that it keeps to its limits and to the machine it is on.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::Path;

use comboi_project::{Column, Columns};
use duckdb::arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use duckdb::arrow::datatypes::UInt32Type;
use duckdb::types::ValueRef;
use duckdb::vscalar::VScalar;
use duckdb::vtab::VTab;
use duckdb::{Config, Connection};
use tempfile::TempDir;

use crate::failure::{Failure, Kind};
use crate::{Error, Interrupter, Limits, Session, sql};

/// One in-memory DuckDB. Its errors come as JSON ([`Failure`]), its time zone is UTC, it loads no extension.
pub(crate) struct Instance {
    connection: Connection,
    /// After an internal error DuckDB answers no statement any more.
    broken: Cell<bool>,
    interrupter: Interrupter,
    limits: Limits,
    /// Declared last: removed after the connection is closed.
    _spill: TempDir,
}

impl Instance {
    pub(crate) fn open(session: &Session, limits: &Limits) -> Result<Self, Error> {
        let folder = session.scratch();
        let spill = tempfile::Builder::new().prefix("spill-").tempdir_in(folder);
        let spill = spill.map_err(|source| Error::Scratch {
            folder: folder.to_owned(),
            source,
        })?;
        let limits = *limits;
        let connection =
            config(&limits, spill.path()).and_then(Connection::open_in_memory_with_flags);
        let connection =
            connection.map_err(|e| Failure::from(e).into_error("open an instance", &limits))?;
        let interrupter = session.interrupter();
        interrupter.watch(&connection.interrupt_handle());
        let instance = Self {
            connection,
            broken: Cell::new(false),
            interrupter,
            limits,
            _spill: spill,
        };
        instance.own("set the time zone", "SET TimeZone = 'UTC'")?;
        // What GeoParquet says of a column of bytes (WKB) changes nothing: it is a BLOB. Not known when an instance is opened (1.5.5).
        instance.own(
            "read geometries as they are",
            "SET enable_geoparquet_conversion = false",
        )?;
        if let Some(bytes) = limits.max_spill_bytes {
            // Without effect when it is part of the configuration that an instance is opened with (1.5.5).
            instance.own(
                "limit its spilling",
                &format!("SET max_temp_directory_size = '{bytes}B'"),
            )?;
        }
        Ok(instance)
    }

    /// Leaves this instance no file but these. What comes before [`lock`](Self::lock) can still be undone by SQL.
    pub(crate) fn confine(&self, files: &[&Path]) -> Result<(), Error> {
        self.own(
            "name the files it may use",
            &format!("SET allowed_paths = {}", sql::allowed_list(files)),
        )?;
        self.own("close its door", "SET enable_external_access = false")
    }

    /// From now on no setting can be changed. To be called before people's SQL runs.
    pub(crate) fn lock(&self) -> Result<(), Error> {
        self.own("lock its configuration", "SET lock_configuration = true")
    }

    /// Runs a statement of comboi's own. `doing` completes "could not …".
    pub(crate) fn own(&self, doing: &str, sql: &str) -> Result<(), Error> {
        self.execute(sql)
            .map(drop)
            .map_err(|failure| self.explain(failure, doing))
    }

    /// What a failure of comboi's own statement means for the caller. `doing` completes "could not …".
    pub(crate) fn explain(&self, failure: Failure, doing: &str) -> Error {
        failure.into_error(doing, &self.limits)
    }

    /// Runs a statement; how many rows it wrote, if that is what it does.
    pub(crate) fn execute(&self, sql: &str) -> Result<u64, Failure> {
        self.not_stopped()?;
        let count = self.noted(self.connection.execute(sql, []))?;
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// The rows of a query. Every column must be of a plain type; cast the others to `VARCHAR`.
    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        self.not_stopped()?;
        let read = || {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                let width = row.as_ref().column_count();
                let cells: Result<Vec<_>, duckdb::Error> =
                    (0..width).map(|i| Ok(cell(row.get_ref(i)?))).collect();
                out.push(cells?);
            }
            Ok(out)
        };
        self.noted(read())
    }

    /// The rows of a query as Arrow batches, as they come.
    pub(crate) fn batches(
        &self,
        sql: &str,
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Failure> {
        self.not_stopped()?;
        let mut read = || {
            let mut statement = self.connection.prepare(sql)?;
            // What it returns dies of a failure on the way; `step` tells of it.
            drop(statement.stream_arrow([])?);
            while let Some(batch) = statement.step()? {
                each(&RecordBatch::from(&batch));
            }
            Ok(())
        };
        self.noted(read())
    }

    /// Hands each row of a query of two `UINTEGER` columns, none of them NULL, to `each`, as they come.
    pub(crate) fn pairs(&self, sql: &str, mut each: impl FnMut(u32, u32)) -> Result<(), Failure> {
        self.batches(sql, &mut |batch| {
            let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values();
            for (a, b) in column(0).iter().zip(column(1)) {
                each(*a, *b);
            }
        })
    }

    /// Adds rows to a table, which has as many columns of these types.
    pub(crate) fn append(&self, table: &str, columns: Vec<ArrayRef>) -> Result<(), Failure> {
        self.not_stopped()?;
        let mut appender = self.connection.appender(table)?;
        let named = (0..).map(|i: usize| format!("c{i}")).zip(columns);
        let rows = RecordBatch::try_from_iter(named).expect("columns are equally long");
        appender.append_record_batch(rows)?;
        appender.flush()?;
        Ok(())
    }

    /// Makes a function known to SQL.
    pub(crate) fn define<F: VScalar>(&self, name: &str, state: &F::State) -> Result<(), Failure>
    where
        F::State: Clone,
    {
        let connection = &self.connection;
        Ok(connection.register_scalar_function_with_state::<F>(name, state)?)
    }

    /// Makes a function known to SQL that returns a table.
    pub(crate) fn define_table<T: VTab>(&self, name: &str) -> Result<(), Failure> {
        Ok(self.connection.register_table_function::<T>(name)?)
    }

    /// The columns that a query returns, found without running it.
    pub(crate) fn columns(&self, select: &str) -> Result<Vec<(String, String)>, Failure> {
        let rows = self.rows(&format!("DESCRIBE {select}"))?;
        let pair = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            (
                cells.next().unwrap_or_default(),
                cells.next().unwrap_or_default(),
            )
        };
        Ok(rows.into_iter().map(pair).collect())
    }

    /// Whether a statement had an internal error of DuckDB.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn noted<T>(&self, done: duckdb::Result<T>) -> Result<T, Failure> {
        done.map_err(|error| {
            let failure = Failure::from(error);
            if failure.kind == Kind::Broken {
                self.broken.set(true);
            }
            failure
        })
    }

    fn not_stopped(&self) -> Result<(), Failure> {
        if self.interrupter.stopped() {
            Err(Failure::interrupted())
        } else {
            Ok(())
        }
    }
}

/// The types of columns as DuckDB prints them, as values.
pub(crate) fn typed(columns: Vec<(String, String)>) -> Result<Columns, Error> {
    let typed = |(name, text): (String, String)| {
        let sql_type = text.parse().map_err(|_| Error::Internal {
            doing: format!("understand the type of column `{name}`"),
            message: format!("DuckDB calls it {text}"),
        })?;
        Ok(Column::new(name, sql_type))
    };
    columns
        .into_iter()
        .map(typed)
        .collect::<Result<_, _>>()
        .map(Columns)
}

fn cell(value: ValueRef<'_>) -> Option<String> {
    let mut text = String::new();
    let written = match value {
        ValueRef::Null => return None,
        ValueRef::Text(bytes) => return Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Boolean(it) => write!(text, "{it}"),
        ValueRef::TinyInt(it) => write!(text, "{it}"),
        ValueRef::SmallInt(it) => write!(text, "{it}"),
        ValueRef::Int(it) => write!(text, "{it}"),
        ValueRef::BigInt(it) => write!(text, "{it}"),
        ValueRef::HugeInt(it) => write!(text, "{it}"),
        ValueRef::UTinyInt(it) => write!(text, "{it}"),
        ValueRef::USmallInt(it) => write!(text, "{it}"),
        ValueRef::UInt(it) => write!(text, "{it}"),
        ValueRef::UBigInt(it) => write!(text, "{it}"),
        ValueRef::Double(it) => write!(text, "{it}"),
        other => write!(text, "({})", other.data_type()),
    };
    written.expect("writing into a String cannot fail");
    Some(text)
}

fn config(limits: &Limits, spill: &Path) -> duckdb::Result<Config> {
    let spill = spill.to_string_lossy();
    Config::default()
        .with("errors_as_json", "true")?
        .with("memory_limit", format!("{}B", limits.memory_bytes))?
        .with("threads", limits.useful_threads().to_string())?
        .with("temp_directory", &spill)?
        // Nothing of the person's home may change what a run does.
        .with("home_directory", &spill)?
        .with("secret_directory", &spill)?
        .with("extension_directory", &spill)?
        .with("allow_persistent_secrets", "false")?
        .with("allow_community_extensions", "false")?
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?
        // Without this, a large result has to be put back into the order of its input, in memory.
        .with("preserve_insertion_order", "false")?
        .with("allocator_flush_threshold", "64MB")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::failure::Kind;
    use crate::{Limits, Session};

    /// The second fence: what people's SQL meets should the first one, the walk over its tree, ever have a hole.
    #[test]
    fn a_confined_instance_reaches_only_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            memory_bytes: 64 << 20,
            threads: 1,
            max_spill_bytes: None,
        };
        let session = Session::open(&limits, &folder.path().join("scratch")).unwrap();
        let (mine, other) = (
            folder.path().join("mine.csv"),
            folder.path().join("other.csv"),
        );
        fs::write(&mine, "a\n1\n").unwrap();
        fs::write(&other, "a\n2\n").unwrap();
        let instance = session.confined(&[&mine]).unwrap();
        instance.lock().unwrap();
        let read = |path: &std::path::Path| {
            instance.rows(&format!(
                "SELECT a::VARCHAR FROM read_csv('{}')",
                path.display()
            ))
        };
        assert_eq!(read(&mine).unwrap(), [[Some("1".to_owned())]]);
        assert_eq!(read(&other).unwrap_err().kind, Kind::Permission);
        for sql in [
            format!("SELECT * FROM read_text('{}')", other.display()),
            format!("SELECT * FROM glob('{}/*')", folder.path().display()),
            format!("COPY (SELECT 1) TO '{}/new.csv'", folder.path().display()),
            format!("ATTACH '{}/new.db'", folder.path().display()),
            "INSTALL httpfs".to_owned(),
            "LOAD httpfs".to_owned(),
            "SELECT * FROM 'https://example.com/x.parquet'".to_owned(),
            "SELECT getenv('HOME')".to_owned(),
            "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')".to_owned(),
        ] {
            assert!(instance.execute(&sql).is_err(), "{sql}");
        }
        for setting in [
            "memory_limit = '1TB'",
            "enable_external_access = true",
            "allowed_paths = ['/']",
            "lock_configuration = false",
            "threads = 64",
            "temp_directory = '/'",
            "autoload_known_extensions = true",
        ] {
            assert!(
                instance.execute(&format!("SET {setting}")).is_err(),
                "{setting}"
            );
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            3,
            "nothing but the two files and the scratch folder"
        );
    }
}
