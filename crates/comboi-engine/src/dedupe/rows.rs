//! The rows that are deduplicated, in a DuckDB that reaches nothing but their files.

use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use comboi_project::{Columns, Problem, Problems, SqlType};
use duckdb::arrow::array::ArrayRef;
use duckdb::arrow::datatypes::{Float64Type, UInt32Type};

use crate::failure::Failure;
use crate::instance::Instance;
use crate::lookup::Lookup;
use crate::view::{select_numbered, show_input};
use crate::{Built, Error, Input, Session, SqlFile, sql};

use super::key::{Key, ROWS, not_blank};
use super::union::UnionFind;
use super::{Dedupe, KeyReport, write};

/// The place of a row in its files.
pub(super) const ROW: &str = "_comboi_row";
/// Which row was in which cluster before.
pub(super) const CLUSTERS_BEFORE: &str = "clusters_before";
/// The log until now.
pub(super) const LOG_BEFORE: &str = "log_before";
/// The ids (`r`, `uid`) with the first row of their cluster (`c`) and the cluster's `size`.
pub(super) const MEMBERS: &str = "members";
/// The rows with the first row of their cluster (`_comboi_c`), its size (`_comboi_size`), and `_comboi_weight`, that of their strongest pair, where rows were
/// compared.
pub(super) const PLACED: &str = "placed";
/// What only deduplication calls a column: those of [`PLACED`], those that survivors are chosen by, and `_comboi_n0` and so on.
pub(super) const OF_PLACED: [&str; 4] = [
    "_comboi_c",
    "_comboi_cluster",
    "_comboi_size",
    "_comboi_weight",
];

/// The rows of one deduplication.
///
/// `rows` is what the query returned with [`ROW`]; table `ids` has the ids by row.
pub(super) struct Rows<'a> {
    pub(super) instance: Instance,
    pub(super) count: u32,
    job: &'a Dedupe<'a>,
    folder: PathBuf,
}

impl<'a> Rows<'a> {
    pub(super) fn open(session: &Session, job: &'a Dedupe<'a>) -> Result<Self, Error> {
        let folder = absolute(job.folder).map_err(|e| Error::Unreadable {
            doing: format!("write into {}", job.folder.display()),
            reason: e.to_string(),
        })?;
        let written = [
            "deduped.parquet",
            "clusters.parquet",
            "log.parquet",
            "pairs.parquet",
        ];
        let written: Vec<PathBuf> = written.iter().map(|name| folder.join(name)).collect();
        let before = [job.clusters, job.log];
        let files = before.iter().flatten().flat_map(|input| input.files);
        let files: Vec<&Path> = files
            .chain(&written)
            .map(PathBuf::as_path)
            .chain(job.rows.files.iter().map(PathBuf::as_path))
            .collect();
        let instance = session.confined(&files)?;
        let (select, count) = select_numbered(&instance, &job.rows, ROW)?;
        instance.own("see the rows", &format!("CREATE VIEW {ROWS} AS {select}"))?;
        for (alias, input) in [(CLUSTERS_BEFORE, job.clusters), (LOG_BEFORE, job.log)] {
            if let Some(input) = input {
                show_input(&instance, &Input { alias, ..input })?;
            }
        }
        instance.lock()?;
        let count = u32::try_from(count).map_err(|_| Error::Internal {
            doing: "deduplicate".to_owned(),
            message: "more than 4,294,967,295 rows can't be told apart".to_owned(),
        })?;
        Ok(Self {
            instance,
            count,
            job,
            folder,
        })
    }

    /// Every row has an id of its own, or that is an error.
    pub(super) fn check_ids(&self) -> Result<(), Error> {
        let id = &self.job.how.unique_id;
        self.own(&format!(
            "CREATE TABLE ids AS SELECT {ROW} AS r, {} AS uid FROM {ROWS}",
            sql::ident(id)
        ))?;
        if self.job.linked.is_some() {
            // Who compared the rows saw to that.
            return Ok(());
        }
        let [missing, twice] = self
            .numbers("SELECT count(*) - count(uid), count(uid) - count(DISTINCT uid) FROM ids")?;
        let mut problems = Vec::new();
        let mut wrong = |count: u64, what: &str, hint: &str| {
            if count > 0 {
                let rows = if count == 1 { "row" } else { "rows" };
                let message = format!("{count} {rows} {what} `{}`", id.value);
                problems.push(Problem::at(&id.place, message).hint(hint));
            }
        };
        wrong(
            missing,
            "of the query's result have no value in",
            "a row without an id can be told from no other: leave it out in the query, or name another column as `unique_id`",
        );
        wrong(
            twice,
            "too many have the same value in",
            "an id that is there twice would make pairs that are none: use `SELECT DISTINCT`, or name another column as `unique_id`",
        );
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems(problems).into())
        }
    }

    /// Connects the rows that agree in a key.
    pub(super) fn link(&self, key: &Key, union: &mut UnionFind) -> Result<KeyReport, Error> {
        self.link_by(key, union).map_err(|error| match error {
            Error::Problems(Problems(found)) => {
                let at_key = |problem: Problem| Problem {
                    place: key.place.clone(),
                    message: format!("the key `{}`: {}", key.name, problem.message),
                    ..problem
                };
                Problems(found.into_iter().map(at_key).collect()).into()
            }
            other => other,
        })
    }

    fn link_by(&self, key: &Key, union: &mut UnionFind) -> Result<KeyReport, Error> {
        let names = key.names();
        let parts: Vec<String> = key
            .parts
            .iter()
            .zip(&names)
            .map(|(part, name)| format!("{part} AS {name}"))
            .collect();
        let given = format!("SELECT {ROW} AS r, {} FROM {ROWS}", parts.join(", "));
        let types = self
            .instance
            .columns(&given)
            .map_err(|failure| self.of_key(failure, key))?;
        let types = crate::instance::typed(types)?;
        let values = names.iter().map(|name| {
            let of = types
                .get(name)
                .map_or(&SqlType::Null, |column| &column.sql_type);
            format!("{} AS {name}", not_blank(name, of))
        });
        let values: Vec<String> = values.collect();
        let present: Vec<String> = names
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let list = names.join(", ");
        self.people(
            key,
            &format!(
                "CREATE OR REPLACE TABLE keyed AS SELECT * FROM (SELECT r, {} FROM ({given})) WHERE {}",
                values.join(", "),
                present.join(" AND ")
            ),
        )?;
        self.own(&format!(
            "CREATE OR REPLACE TABLE shared AS SELECT {list}, min(r) AS first, count(*) AS n FROM keyed GROUP BY {list} HAVING count(*) > 1"
        ))?;
        let [shared_values, rows, most_rows] = self.numbers(
            "SELECT count(*), coalesce(sum(n), 0)::BIGINT, coalesce(max(n), 0) FROM shared",
        )?;
        self.connect(
            &format!("SELECT r, first FROM keyed JOIN shared USING ({list}) WHERE r <> first"),
            union,
        )?;
        self.own("DROP TABLE keyed")?;
        self.own("DROP TABLE shared")?;
        Ok(KeyReport {
            key: key.name.clone(),
            shared_values,
            rows,
            most_rows,
        })
    }

    /// Connects the rows that were in one cluster before.
    pub(super) fn link_as_before(&self, union: &mut UnionFind) -> Result<(), Error> {
        self.connect(
            &format!(
                "WITH known AS (SELECT r, cluster_id FROM ids JOIN {CLUSTERS_BEFORE} ON unique_id = uid),
                 firsts AS (SELECT cluster_id, min(r) AS first FROM known GROUP BY cluster_id HAVING count(*) > 1)
                 SELECT r, first FROM known JOIN firsts USING (cluster_id) WHERE r <> first"
            ),
            union,
        )
    }

    /// Says in which cluster each row is: the first row of it, how many rows it has (by its first row), and how much the strongest pair of each row weighs,
    /// where rows were compared. From here on there are the views [`MEMBERS`] and [`PLACED`].
    pub(super) fn place(
        &self,
        roots: Vec<u32>,
        sizes: Vec<u32>,
        weights: Option<Vec<f64>>,
    ) -> Result<(), Error> {
        let compared = weights.is_some();
        let defined = [("cluster_of", roots), ("size_of", sizes)]
            .into_iter()
            .try_for_each(|(name, of)| {
                self.instance
                    .define::<Lookup<UInt32Type>>(name, &Arc::new(of))
            })
            .and_then(|()| match weights {
                None => Ok(()),
                Some(of) => self
                    .instance
                    .define::<Lookup<Float64Type>>("weight_of", &Arc::new(of)),
            });
        defined.map_err(|failure| self.instance.explain(failure, DOING))?;
        let weight = if compared {
            format!(", nullif(weight_of({ROW}), '-infinity'::DOUBLE) AS _comboi_weight")
        } else {
            String::new()
        };
        self.own(&format!(
            "CREATE VIEW {MEMBERS} AS SELECT r, uid, c, size_of(c) AS size FROM (SELECT r, uid, cluster_of(r) AS c FROM ids)"
        ))?;
        self.own(&format!(
            "CREATE VIEW {PLACED} AS SELECT *, size_of(_comboi_c)::BIGINT AS _comboi_size{weight}
             FROM (SELECT *, cluster_of({ROW}) AS _comboi_c FROM {ROWS})"
        ))
    }

    pub(super) fn append(&self, table: &str, columns: Vec<ArrayRef>) -> Result<(), Error> {
        self.instance
            .append(table, columns)
            .map_err(|failure| self.instance.explain(failure, DOING))
    }

    /// The type of the ids.
    pub(super) fn id_type(&self) -> SqlType {
        let id = self.job.rows.columns.get(&self.job.how.unique_id);
        id.map_or(SqlType::Varchar(None), |column| column.sql_type.clone())
    }

    pub(super) fn write(&self, select: &str, columns: Columns, name: &str) -> Result<Built, Error> {
        write::write(&self.instance, select, columns, &self.folder.join(name))
    }

    /// Runs a statement of comboi's own.
    pub(super) fn own(&self, statement: &str) -> Result<(), Error> {
        self.instance.own(DOING, statement)
    }

    /// The numbers of a query's only row.
    pub(super) fn numbers<const N: usize>(&self, query: &str) -> Result<[u64; N], Error> {
        let rows = self
            .instance
            .rows(query)
            .map_err(|failure| self.instance.explain(failure, DOING))?;
        let mut numbers = rows
            .into_iter()
            .flatten()
            .map(|cell| cell.and_then(|text| text.parse().ok()).unwrap_or(0));
        Ok(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
    }

    fn connect(&self, query: &str, union: &mut UnionFind) -> Result<(), Error> {
        self.instance
            .pairs(query, |a, b| union.connect(a, b))
            .map_err(|failure| self.instance.explain(failure, DOING))
    }

    /// Runs a statement with somebody's expressions in it.
    fn people(&self, key: &Key, statement: &str) -> Result<(), Error> {
        self.instance
            .execute(statement)
            .map(drop)
            .map_err(|failure| self.of_key(failure, key))
    }

    /// What a failure means of a statement with somebody's expressions in it.
    fn of_key(&self, failure: Failure, key: &Key) -> Error {
        let sql = SqlFile {
            path: &key.place.file,
            text: &key.name,
        };
        crate::select::in_sql(&sql, failure, 0)
            .unwrap_or_else(|failure| self.instance.explain(failure, DOING))
    }
}

/// Completes "could not …".
const DOING: &str = "deduplicate the rows";
