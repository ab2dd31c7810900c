//! Whether the keys of rows are all different: exactly, fast and within bounds.
//!
//! Equal keys have equal hashes, so keys whose 64-bit hashes are all different are different for certain. DuckDB
//! computes the hashes (fast, on all its threads) and Rust sorts them, 8 bytes a row whatever the key is made of,
//! in as many passes as the memory limit asks for. Only when two hashes are the same does DuckDB compare the keys
//! themselves, of those rows alone where they are few: that is what decides.
//!
//! `count(DISTINCT …)` takes three times as long, and when memory is short it fails instead of spilling.

use std::thread;

use duckdb::arrow::array::UInt64Array;
use duckdb::{Config, Connection};

use crate::failure::Failure;
use crate::{Session, sql};

/// What one hash takes at the worst moment: in DuckDB's result and in our copy, with room for what differs between
/// passes.
const BYTES_PER_HASH: u64 = 24;
/// So many hashes are worth naming one by one; with more, all keys are compared.
const FEW_HASHES: usize = 1_000;

/// Keys that occur more than once. Rows with NULL in their key are left aside: NULL is equal to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Duplicates {
    /// How many different keys there are of which more than one row has each.
    pub(super) keys: u64,
    /// How many rows have one of these keys.
    pub(super) rows: u64,
}

/// The keys of a relation's rows.
pub(super) struct Keys<'a> {
    /// The relation, ready to stand behind `FROM`.
    pub(super) relation: &'a str,
    /// Names of columns.
    pub(super) columns: Vec<&'a str>,
    /// How many rows have no NULL in their key.
    pub(super) row_count: u64,
}

impl Keys<'_> {
    /// Finds those that occur more than once.
    pub(super) fn duplicates(&self, session: &Session) -> Result<Duplicates, Failure> {
        if self.row_count < 2 {
            return Ok(Duplicates::default());
        }
        let per_pass = (session.limits().memory_bytes / BYTES_PER_HASH).max(1);
        self.duplicates_in(
            session,
            self.row_count.div_ceil(per_pass).next_power_of_two(),
        )
    }

    /// `passes` is a power of two.
    fn duplicates_in(&self, session: &Session, passes: u64) -> Result<Duplicates, Failure> {
        let instance = Counter::open(session)?;
        let mut suspects = Vec::new();
        for pass in 0..passes {
            let hashes = instance.hashes(&self.hashes(pass, passes), self.row_count / passes)?;
            suspects.extend(repeated(hashes, session.limits().threads));
        }
        match suspects.len() {
            0 => Ok(Duplicates::default()),
            few if few <= FEW_HASHES => instance.count(&self.grouped(Some(&suspects))),
            _ => instance.count(&self.grouped(None)),
        }
    }

    /// The hashes of one of several equal parts of the range of hashes.
    fn hashes(&self, pass: u64, passes: u64) -> String {
        let part = if passes == 1 {
            String::new()
        } else {
            let width = (u64::MAX / passes) + 1;
            let from = pass * width;
            format!(
                " AND h BETWEEN {from}::UBIGINT AND {}::UBIGINT",
                from + (width - 1)
            )
        };
        format!(
            "SELECT h FROM (SELECT {} AS h FROM {} WHERE {}) WHERE true{part}",
            self.hash(),
            self.relation,
            self.present(),
        )
    }

    fn grouped(&self, suspects: Option<&[u64]>) -> String {
        let keys = self.list();
        let among = suspects.map_or_else(String::new, |hashes| {
            let hashes: Vec<String> = hashes
                .iter()
                .map(|hash| format!("{hash}::UBIGINT"))
                .collect();
            format!(" AND {} IN ({})", self.hash(), hashes.join(", "))
        });
        format!(
            "SELECT count(*)::UBIGINT, coalesce(sum(n), 0)::UBIGINT FROM (SELECT count(*) AS n FROM {} WHERE {}{among} GROUP BY {keys} HAVING count(*) > 1)",
            self.relation,
            self.present(),
        )
    }

    fn hash(&self) -> String {
        format!("hash({})", self.list())
    }

    fn list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|name| sql::ident(name)).collect();
        names.join(", ")
    }

    /// True for rows without NULL in their key.
    pub(super) fn present(&self) -> String {
        present(&self.columns)
    }
}

/// True for rows without NULL in these columns.
pub(super) fn present(columns: &[&str]) -> String {
    let present: Vec<String> = columns
        .iter()
        .map(|name| format!("{} IS NOT NULL", sql::ident(name)))
        .collect();
    format!("({})", present.join(" AND "))
}

/// The hashes that occur more than once.
fn repeated(mut hashes: Vec<u64>, threads: usize) -> Vec<u64> {
    sort(&mut hashes, threads);
    let mut repeated: Vec<u64> = hashes
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    repeated.dedup();
    repeated
}

/// Sorts in place: the halves around the median on threads of their own.
fn sort(hashes: &mut [u64], threads: usize) {
    if threads < 2 || hashes.len() < 100_000 {
        hashes.sort_unstable();
        return;
    }
    let middle = hashes.len() / 2;
    let (low, _, high) = hashes.select_nth_unstable(middle);
    thread::scope(|scope| {
        scope.spawn(|| sort(low, threads / 2));
        sort(high, threads - threads / 2);
    });
}

/// An instance that runs nothing but the statements of this file.
struct Counter(Connection);

impl Counter {
    fn open(session: &Session) -> Result<Self, Failure> {
        let limits = session.limits();
        let config = Config::default()
            .with("errors_as_json", "true")?
            .with("memory_limit", format!("{}B", limits.memory_bytes))?
            .with("threads", limits.threads.to_string())?
            .with(
                "temp_directory",
                session.scratch().join("unique").to_string_lossy(),
            )?
            .with("autoinstall_known_extensions", "false")?
            .with("autoload_known_extensions", "false")?
            .with("preserve_insertion_order", "false")?;
        let connection = Connection::open_in_memory_with_flags(config)?;
        session.interrupter().watch(&connection.interrupt_handle());
        if session.interrupter().stopped() {
            return Err(Failure::interrupted());
        }
        Ok(Self(connection))
    }

    fn hashes(&self, sql: &str, about: u64) -> Result<Vec<u64>, Failure> {
        let mut statement = self.0.prepare(sql)?;
        let mut hashes = Vec::with_capacity(usize::try_from(about + about / 64).unwrap_or(0));
        for batch in statement.query_arrow([])? {
            let values = batch.column(0).as_any().downcast_ref::<UInt64Array>();
            hashes.extend_from_slice(values.expect("hash() gives UBIGINT").values());
        }
        Ok(hashes)
    }

    fn count(&self, sql: &str) -> Result<Duplicates, Failure> {
        let mut statement = self.0.prepare(sql)?;
        Ok(statement.query_row([], |row| {
            Ok(Duplicates {
                keys: row.get(0)?,
                rows: row.get(1)?,
            })
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_hashes_are_found_on_any_number_of_threads() {
        let many: Vec<u64> = (0..120_000_u64)
            .map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .collect();
        for threads in [1, 2, 3, 8] {
            assert_eq!(
                repeated(many.clone(), threads),
                [0_u64; 0],
                "{threads} threads"
            );
            let mut twice = many.clone();
            twice.extend([many[7], many[119_999], many[7]]);
            let mut expected = vec![many[7], many[119_999]];
            expected.sort_unstable();
            assert_eq!(repeated(twice, threads), expected, "{threads} threads");
        }
        assert_eq!(repeated(vec![u64::MAX, 0, u64::MAX, 0], 2), [0, u64::MAX]);
        assert_eq!(repeated(vec![], 2), [0_u64; 0]);
    }

    fn check(keys: &str, columns: &[&str], row_count: u64, expected: (u64, u64)) {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::small(folder.path());
        let relation = format!("({keys})");
        let keys = Keys {
            relation: &relation,
            columns: columns.to_vec(),
            row_count,
        };
        for passes in [1, 2, 64] {
            let Duplicates { keys, rows } = keys.duplicates_in(&session, passes).unwrap();
            assert_eq!((keys, rows), expected, "{passes} passes");
        }
    }

    #[test]
    fn every_pass_counts() {
        check(
            "SELECT i AS k FROM range(20000) t(i)",
            &["k"],
            20_000,
            (0, 0),
        );
        check(
            "SELECT i % 19990 AS k FROM range(20000) t(i)",
            &["k"],
            20_000,
            (10, 20),
        );
        check(
            "SELECT i % 5 AS k FROM range(20000) t(i)",
            &["k"],
            20_000,
            (5, 20_000),
        );
        check(
            "SELECT i // 2 AS k, i % 2 AS l FROM range(2000) t(i)",
            &["k", "l"],
            2_000,
            (0, 0),
        );
        check(
            "SELECT i // 2 AS k, NULL AS l FROM range(2000) t(i)",
            &["k", "l"],
            0,
            (0, 0),
        );
    }
}
