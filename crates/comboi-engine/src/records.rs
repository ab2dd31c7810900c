//! Records to be compared with each other: Parquet files of which expressions are computed, over one record or over pairs.
//!
//! What is computed comes from people's settings, so it is parsed by DuckDB first ([`parse_expressions`](crate::parse_expressions)) and only
//! what DuckDB prints of the tree gets into a statement, in an instance that reaches nothing but the records' own files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use comboi_project::{Column, Columns, Place, Problem, Problems, SqlType};
use duckdb::arrow::array::{ArrayRef, RecordBatch, UInt32Array};

use crate::failure::{Failure, Kind, first_line, without_values};
use crate::instance::{Instance, typed};
use crate::lookup::{NumberedTexts, Slot, TextOf};
use crate::pruning::Pruned;
use crate::{Error, Limits, Session, casts, sql};

/// The column that numbers the records: over the files in their order, then by the row in the file, from 0.
const ROW: &str = "__comboi_row";

/// Parquet files as a table of records.
pub struct Records {
    instance: Instance,
    columns: Columns,
    row_count: u64,
    place: Place,
    /// What `text_of` gives.
    texts: Slot,
}

/// How the value of an expression is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As it is.
    AsIs,
    /// Cast to `VARCHAR`.
    Text,
    /// Cast to `DOUBLE`.
    Number,
    /// Whether it is NULL.
    IsNull,
    /// Cast to `VARCHAR[]`.
    Texts,
}

impl Records {
    /// Opens files that are alike; `columns` are the types that people's SQL sees, else the files' own count. Blank texts
    /// are NULL in all columns but `blanks_but`, where that is given.
    ///
    /// `place` is where the expressions come from: problems with values that an expression meets are told of it.
    pub fn open(
        session: &Session,
        files: &[PathBuf],
        columns: Option<&Columns>,
        blanks_but: Option<&str>,
        place: &Place,
    ) -> Result<Self, Error> {
        let reached: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let limits = Limits {
            ..*session.limits()
        };
        let instance = session.confined_within(&limits, &reached)?;
        instance.own(
            "keep the order of the rows",
            "SET preserve_insertion_order = true",
        )?;
        let unreadable = |failure: Failure| instance.explain(failure, "read the records");
        let mut parts = Vec::new();
        let mut row_count = 0_u64;
        let mut shown = columns.cloned();
        for file in files {
            let scan = format!(
                "read_parquet({}, file_row_number = true, hive_partitioning = false)",
                sql::file_list(&[file])
            );
            let stored = instance
                .columns(&format!("SELECT * EXCLUDE (file_row_number) FROM {scan}"))
                .map_err(unreadable)?;
            let stored = typed(stored)?;
            let columns = shown.get_or_insert_with(|| stored.clone());
            let pruned = Pruned::of(&[file], &stored);
            let cells: Vec<String> = columns
                .0
                .iter()
                .map(|it| cell(it, &stored, &pruned, blanks_but))
                .collect();
            parts.push(format!(
                "SELECT CAST(file_row_number + {row_count} AS UINTEGER) AS {ROW}, {} FROM {scan}",
                cells.join(", ")
            ));
            let counted = instance
                .rows(&format!("SELECT count(*)::VARCHAR FROM {scan}"))
                .map_err(unreadable)?;
            let count = counted.first().and_then(|row| row.first()?.clone());
            row_count += count.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        }
        let view = match parts.as_slice() {
            [] => format!("SELECT NULL::UINTEGER AS {ROW} WHERE false"),
            parts => parts.join(" UNION ALL "),
        };
        instance.own(
            "show the records",
            &format!("CREATE VIEW records AS {view}"),
        )?;
        let texts = Slot::default();
        instance
            .define::<TextOf>("text_of", &texts)
            .map_err(unreadable)?;
        instance.lock()?;
        Ok(Self {
            instance,
            columns: shown.unwrap_or(Columns(Vec::new())),
            row_count,
            place: place.clone(),
            texts,
        })
    }

    /// The columns of the records, as people's SQL sees them.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// How many records there are.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// The types of expressions over one record, or what is wrong with them.
    pub fn types(&self, expressions: &[String]) -> Result<Vec<Result<String, String>>, Error> {
        self.types_over("records", expressions)
    }

    /// The same over two records, `l` and `r`.
    pub fn pair_types(&self, expressions: &[String]) -> Result<Vec<Result<String, String>>, Error> {
        self.types_over("records AS l, records AS r", expressions)
    }

    fn types_over(
        &self,
        from: &str,
        expressions: &[String],
    ) -> Result<Vec<Result<String, String>>, Error> {
        if expressions.is_empty() {
            return Ok(Vec::new());
        }
        let describe = |some: &[String]| {
            self.instance
                .columns(&format!("SELECT {} FROM {from}", some.join(", ")))
        };
        if let Ok(all) = describe(expressions) {
            return Ok(all.into_iter().map(|(_, of)| Ok(of)).collect());
        }
        let one = |expression: &String| match describe(std::slice::from_ref(expression)) {
            Ok(found) => Ok(Ok(found
                .into_iter()
                .next()
                .map(|it| it.1)
                .unwrap_or_default())),
            Err(failure) if failure.kind == Kind::Statement => {
                Ok(Err(first_line(&failure.message)))
            }
            Err(failure) => Err(self
                .instance
                .explain(failure, "find the type of an expression")),
        };
        expressions.iter().map(one).collect()
    }

    /// Computes expressions over every record. The first column of each batch is the record's number (UINTEGER); batches may come in any order.
    pub fn read(
        &self,
        expressions: &[(String, Form)],
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let cells = cells(expressions);
        self.stream(&format!("SELECT {ROW}{cells} FROM records"), each)
    }

    /// Computes expressions over texts as if each of them stood in that column of a record of its own, and the record had no other. There may be one text
    /// more than there are records. The first column of each batch is the text's number (UINTEGER); batches may come in any order.
    pub fn read_texts(
        &self,
        column: &str,
        texts: Arc<dyn NumberedTexts>,
        expressions: &[(String, Form)],
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let cells = cells(expressions);
        // The records give the numbers: they are read on all threads, as `range` is not.
        let query = format!(
            "SELECT {ROW}{cells} FROM (
                SELECT i AS {ROW}, text_of(i) AS {} FROM (
                    SELECT 0::UINTEGER AS i UNION ALL SELECT {ROW} + 1::UINTEGER FROM records WHERE {ROW} + 1 < {}
                )
            ) AS records",
            sql::ident(column),
            texts.count()
        );
        self.texts.set(Some(texts));
        let read = self.stream(&query, each);
        self.texts.set(None);
        read
    }

    /// [`read`](Self::read) with a record for each element of these lists, which stand in the lists' place; a record whose lists are empty is not there.
    pub fn read_exploded(
        &self,
        lists: &[String],
        expressions: &[(String, Form)],
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let unnested: Vec<String> = lists
            .iter()
            .map(|it| format!("unnest({0}) AS {0}", sql::ident(it)))
            .collect();
        let names: Vec<String> = lists.iter().map(|it| sql::ident(it)).collect();
        let cells = cells(expressions);
        self.stream(
            &format!(
                "SELECT {ROW}{cells} FROM (SELECT * EXCLUDE ({}), {} FROM records) AS records",
                names.join(", "),
                unnested.join(", ")
            ),
            each,
        )
    }

    /// The numbers of all records in the order of an expression's values, and those values as text. NULLs come last.
    pub fn ordered_by(
        &self,
        expression: &str,
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        self.stream(
            &format!("SELECT {ROW}, CAST({expression} AS VARCHAR) FROM records ORDER BY {expression} NULLS LAST"),
            each,
        )
    }

    /// Whether the whole numbers that expressions give are so small that floating point has each of them.
    pub fn are_small(&self, expressions: &[&str]) -> Result<Vec<bool>, Error> {
        let most = 1_u64 << 53;
        let cells: Vec<String> = expressions
            .iter()
            .map(|it| {
                format!("coalesce(max({it}) <= {most} AND min({it}) >= -{most}, true)::VARCHAR")
            })
            .collect();
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .instance
            .rows(&format!("SELECT {} FROM records", cells.join(", ")))
            .map_err(|failure| self.explain(failure, "look at numbers"))?;
        let cells = rows.into_iter().flatten();
        Ok(cells.map(|it| it.as_deref() == Some("true")).collect())
    }

    /// All pairs that a condition over `l` and `r` holds for, of which `l` has the smaller `unique_id`: the records' numbers.
    pub fn join(
        &self,
        lists: &[String],
        condition: &str,
        unique_id: &str,
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let relation = if lists.is_empty() {
            "records".to_owned()
        } else {
            let names: Vec<String> = lists.iter().map(|it| sql::ident(it)).collect();
            let unnested: Vec<String> = names
                .iter()
                .map(|it| format!("unnest({it}) AS {it}"))
                .collect();
            format!(
                "(SELECT * EXCLUDE ({}), {} FROM records)",
                names.join(", "),
                unnested.join(", ")
            )
        };
        let distinct = if lists.is_empty() { "" } else { "DISTINCT " };
        let id = sql::ident(unique_id);
        self.stream(
            &format!(
                "SELECT {distinct}l.{ROW}, r.{ROW} FROM {relation} AS l JOIN {relation} AS r ON ({condition}) WHERE l.{id} < r.{id}"
            ),
            each,
        )
    }

    /// Keeps these columns of the records in memory (DuckDB's, which spills), for [`of_pairs`](Self::of_pairs).
    pub fn keep(&self, columns: &[String]) -> Result<(), Error> {
        let names: String = columns
            .iter()
            .map(|it| format!(", {}", sql::ident(it)))
            .collect();
        let keep = |doing: &str, statement: &str| {
            self.instance
                .execute(statement)
                .map(drop)
                .map_err(|failure| self.explain(failure, doing))
        };
        keep(
            "keep the records at hand",
            &format!("CREATE OR REPLACE TEMP TABLE kept AS SELECT {ROW}{names} FROM records"),
        )?;
        keep(
            "make room for pairs",
            "CREATE OR REPLACE TEMP TABLE pairs (i UINTEGER, l UINTEGER, r UINTEGER)",
        )
    }

    /// Finds which case holds first for pairs (`l` and `r`) of kept records. The first column of each batch is the pair's place in `pairs` (UINTEGER), the
    /// others are the number of the case (TINYINT), one for each list of cases; a case without a condition always holds. Batches may come in any order.
    pub fn of_pairs(
        &self,
        pairs: &[(u32, u32)],
        cases: &[Vec<(Option<String>, i8)>],
        each: &mut dyn FnMut(&RecordBatch),
    ) -> Result<(), Error> {
        let column = |of: &dyn Fn(&(u32, u32)) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(pairs.iter().map(of)))
        };
        let numbers = UInt32Array::from_iter_values((0_u32..).take(pairs.len()));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(numbers),
            column(&|pair| pair.0),
            column(&|pair| pair.1),
        ];
        self.instance
            .execute("TRUNCATE pairs")
            .and_then(|_| self.instance.append("pairs", columns))
            .map_err(|failure| self.explain(failure, "take pairs in"))?;
        let case = |(condition, number): &(Option<String>, i8)| {
            format!(
                " WHEN {} THEN {number}",
                condition.as_deref().unwrap_or("true")
            )
        };
        let cells: String = cases
            .iter()
            .map(|it| {
                format!(
                    ", CAST(CASE{} END AS TINYINT)",
                    it.iter().map(case).collect::<String>()
                )
            })
            .collect();
        self.stream(
            &format!(
                "SELECT p.i{cells} FROM pairs AS p JOIN kept AS l ON l.{ROW} = p.l JOIN kept AS r ON r.{ROW} = p.r"
            ),
            each,
        )
    }

    /// The values of expressions in one record, as text.
    pub fn show(&self, row: u32, expressions: &[String]) -> Result<Vec<Option<String>>, Error> {
        let cells: Vec<String> = expressions
            .iter()
            .map(|it| format!("CAST({it} AS VARCHAR)"))
            .collect();
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .instance
            .rows(&format!(
                "SELECT {} FROM records WHERE {ROW} = {row}",
                cells.join(", ")
            ))
            .map_err(|failure| self.explain(failure, "look at a record"))?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// The number of the record that has this value, as text, in a column.
    pub fn find(&self, column: &str, value: &str) -> Result<Option<u32>, Error> {
        let rows = self
            .instance
            .rows(&format!(
                "SELECT {ROW}::VARCHAR FROM records WHERE CAST({} AS VARCHAR) = {} LIMIT 1",
                sql::ident(column),
                sql::text(value)
            ))
            .map_err(|failure| self.explain(failure, "look for a record"))?;
        let found = rows.into_iter().flatten().flatten().next();
        Ok(found.and_then(|it| it.parse().ok()))
    }

    fn stream(&self, query: &str, each: &mut dyn FnMut(&RecordBatch)) -> Result<(), Error> {
        self.instance
            .batches(query, each)
            .map_err(|failure| self.explain(failure, "read the records"))
    }

    /// A value that an expression of the settings can't take is a problem of the settings.
    fn explain(&self, failure: Failure, doing: &str) -> Error {
        if matches!(failure.kind, Kind::Value | Kind::Statement) {
            let message = match failure.kind {
                Kind::Value => without_values(&failure.message, ""),
                _ => first_line(&failure.message),
            };
            let problem = Problem::at(&self.place, format!("an expression fails: {message}"));
            return Problems(vec![
                problem.hint("TRY_CAST gives NULL where a value does not fit"),
            ])
            .into();
        }
        self.instance.explain(failure, doing)
    }
}

fn cell(column: &Column, stored: &Columns, pruned: &Pruned, blanks_but: Option<&str>) -> String {
    let found = stored
        .0
        .iter()
        .find(|it| it.name.to_lowercase() == column.name.to_lowercase());
    let value = found.map_or_else(
        || format!("CAST(NULL AS {})", column.sql_type),
        |it| casts::from_lake(&pruned.value(it), &it.sql_type, &column.sql_type),
    );
    let blank_is_null = blanks_but.is_some_and(|it| !it.eq_ignore_ascii_case(&column.name))
        && matches!(column.sql_type, SqlType::Varchar(_));
    let value = if blank_is_null {
        sql::unless_blank(&value)
    } else {
        value
    };
    format!("{value} AS {}", sql::ident(&column.name))
}

/// What is selected beside a record's number.
fn cells(expressions: &[(String, Form)]) -> String {
    let cells = expressions.iter().map(|it| format!(", {}", formed(it)));
    cells.collect()
}

fn formed((expression, form): &(String, Form)) -> String {
    match form {
        Form::AsIs => expression.clone(),
        Form::Text => format!("CAST({expression} AS VARCHAR)"),
        Form::Number => format!("CAST({expression} AS DOUBLE)"),
        Form::IsNull => format!("({expression}) IS NULL"),
        Form::Texts => format!("CAST({expression} AS VARCHAR[])"),
    }
}
