//! Somebody's SQL over staged inputs: what comes out, and what is said when nothing can.

mod folders;
mod limits;
mod mistakes;
mod sandbox;
mod types;

use std::path::{Path, PathBuf};

use comboi_engine::{Built, Error, Input, Limits, Session, SqlFile, build, describe, show};
use comboi_project::{Column, Columns, SqlType};

/// A session and the files it works on.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) session: Session,
}

pub(crate) fn columns(text: &[(&str, &str)]) -> Columns {
    Columns(
        text.iter()
            .map(|(name, of)| Column::new(*name, of.parse().unwrap()))
            .collect(),
    )
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Limits {
            memory_bytes: 256 << 20,
            threads: 2,
            max_spill_bytes: None,
        })
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::within(tempfile::tempdir().unwrap(), limits)
    }

    pub(crate) fn within(folder: tempfile::TempDir, limits: Limits) -> Self {
        let session = Session::open(&limits, &folder.path().join("scratch")).unwrap();
        Self { folder, session }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a query without inputs, or over `inputs`.
    pub(crate) fn build(&self, sql: &str, inputs: &[Input<'_>]) -> Result<Built, Error> {
        self.build_wanted(sql, inputs, None)
    }

    pub(crate) fn build_wanted(
        &self,
        sql: &str,
        inputs: &[Input<'_>],
        wanted: Option<&[(String, SqlType)]>,
    ) -> Result<Built, Error> {
        build(
            &self.session,
            &SqlFile {
                path: Path::new("q.sql"),
                text: sql,
            },
            inputs,
            wanted,
            &self.path("out.parquet"),
        )
    }

    /// What a query gives, read back from its file: types, then rows.
    pub(crate) fn table(&self, sql: &str, inputs: &[Input<'_>]) -> String {
        match self.build(sql, inputs) {
            Ok(built) => self.read(&built),
            Err(e) => e.to_string(),
        }
    }

    pub(crate) fn read(&self, built: &Built) -> String {
        let files = [built.file.clone()];
        self.shown(&Input {
            alias: "it",
            columns: &built.columns,
            files: &files,
        })
    }

    pub(crate) fn shown(&self, input: &Input<'_>) -> String {
        let rows = show(&self.session, input, 100).unwrap();
        let head: Vec<String> = rows
            .names
            .iter()
            .zip(&rows.types)
            .map(|(name, of)| format!("{name} {of}"))
            .collect();
        let line = |row: &Vec<Option<String>>| {
            row.iter()
                .map(|cell| cell.as_deref().unwrap_or("NULL"))
                .collect::<Vec<_>>()
                .join(" | ")
        };
        std::iter::once(head.join(" | "))
            .chain(rows.rows.iter().map(line))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Stages rows, so that they can be an input.
    pub(crate) fn stage(&self, name: &str, sql: &str) -> (Columns, Vec<PathBuf>) {
        let to = self.path(&format!("{name}.parquet"));
        let built = build(
            &self.session,
            &SqlFile {
                path: Path::new("stage.sql"),
                text: sql,
            },
            &[],
            None,
            &to,
        )
        .unwrap();
        (built.columns, vec![built.file])
    }
}

#[test]
fn a_query_over_its_inputs_becomes_one_file() {
    let bench = Bench::new();
    let (columns, files) = bench.stage("orders", "SELECT * FROM (VALUES (1, 'ann', 5.50), (2, 'bob', 7.25), (3, 'ann', 1.00)) t(id, who, amount)");
    let orders = Input {
        alias: "orders",
        columns: &columns,
        files: &files,
    };
    let sql = "-- totals\nWITH big AS (SELECT * FROM ORDERS WHERE amount > 1)\nSELECT who, count(*) AS n, sum(amount) AS total FROM big GROUP BY ALL ORDER BY who;\n-- end";
    assert_eq!(
        bench.table(sql, &[orders]),
        "who VARCHAR | n BIGINT | total DECIMAL(38,2)\nann | 1 | 5.50\nbob | 1 | 7.25"
    );
    assert_eq!(bench.build(sql, &[orders]).unwrap().row_count, 2);
}

#[test]
fn an_input_without_files_is_an_empty_relation() {
    let bench = Bench::new();
    let columns = columns(&[("id", "UUID"), ("at", "TIMESTAMP")]);
    let empty = Input {
        alias: "empty",
        columns: &columns,
        files: &[],
    };
    assert_eq!(
        bench.table("FROM empty", &[empty]),
        "id UUID | at TIMESTAMP"
    );
    assert_eq!(
        bench.table("SELECT count(*) AS n FROM empty", &[empty]),
        "n BIGINT\n0"
    );
}

#[test]
fn a_column_that_a_file_lacks_is_null_in_its_rows() {
    let bench = Bench::new();
    let (_, old) = bench.stage("old", "SELECT 1 AS id");
    let (_, new) = bench.stage(
        "new",
        "SELECT TIMESTAMP '2024-01-02 03:04:05' AS seen, 2 AS ID",
    );
    let columns = columns(&[
        ("id", "INTEGER"),
        ("seen", "TIMESTAMP"),
        ("never", "HUGEINT"),
    ]);
    let files = [old[0].clone(), new[0].clone()];
    let both = Input {
        alias: "t",
        columns: &columns,
        files: &files,
    };
    assert_eq!(
        bench.table("FROM t ORDER BY id", &[both]),
        "id INTEGER | seen TIMESTAMP | never HUGEINT\n1 | NULL | NULL\n2 | 2024-01-02 03:04:05 | NULL"
    );
}

#[test]
fn rows_keep_the_order_of_the_query() {
    let bench = Bench::new();
    bench
        .build(
            "SELECT i, hash(i) AS h FROM range(300000) t(i) ORDER BY h",
            &[],
        )
        .unwrap();
    let columns = columns(&[("i", "BIGINT"), ("h", "DECIMAL(20,0)")]);
    let files = [bench.path("out.parquet")];
    let rows = show(
        &bench.session,
        &Input {
            alias: "it",
            columns: &columns,
            files: &files,
        },
        300_000,
    )
    .unwrap()
    .rows;
    let hashes: Vec<u64> = rows
        .iter()
        .map(|row| row[1].as_ref().unwrap().parse().unwrap())
        .collect();
    assert_eq!(hashes.len(), 300_000);
    assert!(hashes.is_sorted());
}

#[test]
fn odd_names_of_files_stand_for_themselves() {
    let bench = Bench::new();
    let folder = bench.path("k=v [x] *?{a,b} it's \"é\"");
    std::fs::create_dir_all(&folder).unwrap();
    let to = folder.join("q'uo[te]*.parquet");
    let sql = SqlFile {
        path: Path::new("q.sql"),
        text: "SELECT 1 AS a",
    };
    let built = build(&bench.session, &sql, &[], None, &to).unwrap();
    assert_eq!(bench.read(&built), "a INTEGER\n1");
    let files = [built.file.clone()];
    let input = Input {
        alias: "it's \"odd\"",
        columns: &built.columns,
        files: &files,
    };
    assert_eq!(
        bench.table("SELECT a + 1 AS b FROM \"it's \"\"odd\"\"\"", &[input]),
        "b INTEGER\n2"
    );
}

#[test]
fn a_sum_takes_the_type_of_its_contract() {
    let bench = Bench::new();
    let check = |sql: &str, wanted: &str, expected: &str| {
        let wanted = [("N".to_owned(), wanted.parse().unwrap())];
        let told = match bench.build_wanted(sql, &[], Some(&wanted)) {
            Ok(built) => bench.read(&built),
            Err(e) => e.to_string(),
        };
        assert_eq!(told, expected, "{sql}");
    };
    check(
        "SELECT sum(i) AS n FROM range(4) t(i)",
        "BIGINT",
        "n BIGINT\n6",
    );
    check(
        "SELECT count(*) AS n FROM range(4) t(i)",
        "INTEGER",
        "n INTEGER\n4",
    );
    check(
        "SELECT sum(i::DECIMAL(9,2)) AS n FROM range(4) t(i)",
        "DECIMAL(18,2)",
        "n DECIMAL(18,2)\n6.00",
    );
    check(
        "SELECT sum(i) AS n FROM range(0) t(i)",
        "SMALLINT",
        "n SMALLINT\nNULL",
    );
    check(
        "SELECT sum(i) AS n FROM range(300) t(i)",
        "SMALLINT",
        "error: column `n` can't be kept: it has a value that does not fit into SMALLINT, as its contract wants it\n  q.sql",
    );
    // Not of an aggregate's making, or not without loss: left for the check of the contract to tell.
    check("SELECT 1::INTEGER AS n", "BIGINT", "n INTEGER\n1");
    check("SELECT sum(1.25) AS n", "BIGINT", "n DECIMAL(38,2)\n1.25");
    check(
        "SELECT sum(1.25) AS n",
        "DECIMAL(18,1)",
        "n DECIMAL(38,2)\n1.25",
    );
    check("SELECT 'x' AS n", "BIGINT", "n VARCHAR\nx");
}

#[test]
fn columns_are_known_without_reading_anything() {
    let bench = Bench::new();
    let columns = columns(&[("id", "BIGINT"), ("seen", "TIMESTAMP WITH TIME ZONE")]);
    let gone = [PathBuf::from("/nowhere/gone.parquet")];
    let input = Input {
        alias: "t",
        columns: &columns,
        files: &gone,
    };
    let describe = |text: &str| match describe(
        &bench.session,
        &SqlFile {
            path: Path::new("q.sql"),
            text,
        },
        &[input],
        &[],
    ) {
        Ok(Columns(columns)) => columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.sql_type))
            .collect::<Vec<_>>()
            .join(", "),
        Err(e) => e.to_string(),
    };
    assert_eq!(
        describe("SELECT max(seen) AS latest, sum(id) AS s FROM t"),
        "latest TIMESTAMP WITH TIME ZONE, s HUGEINT"
    );
    assert_eq!(
        describe("SELECT 1 / 0 AS x, error('no') AS y FROM t"),
        "x DOUBLE, y INTEGER"
    );
    assert!(
        describe("SELECT nope FROM t").contains("q.sql:1:8"),
        "{}",
        describe("SELECT nope FROM t")
    );
    assert_eq!(
        describe("FROM t"),
        "id BIGINT, seen TIMESTAMP WITH TIME ZONE",
        "after a mistake"
    );
}

#[test]
fn a_query_that_only_hands_rows_on_is_told_from_others() {
    let bench = Bench::new();
    let (of_t, of_u) = (
        columns(&[("id", "BIGINT"), ("day", "VARCHAR")]),
        columns(&[("id", "BIGINT"), ("a day", "VARCHAR")]),
    );
    let files: Vec<PathBuf> = (0..17)
        .map(|i| PathBuf::from(format!("{i}.parquet")))
        .collect();
    let input = |alias, columns, files| Input {
        alias,
        columns,
        files,
    };
    let handed_on = |sql: &str, count: usize, wanted: &[(&str, &str)]| {
        let wanted: Vec<(String, SqlType)> = wanted
            .iter()
            .map(|(name, of)| ((*name).to_owned(), of.parse().unwrap()))
            .collect();
        let inputs = [
            input("t", &of_t, &files[..count]),
            input("u", &of_u, &files[..1]),
        ];
        let sql = SqlFile {
            path: Path::new("q.sql"),
            text: sql,
        };
        let found = comboi_engine::handed_on(&bench.session, &sql, &inputs, &wanted);
        found.unwrap().map(|it| it.alias)
    };
    for sql in [
        "FROM t",
        "TABLE t",
        "\u{feff}-- all of them\nSELECT *\nFROM T /* as they are */;\n",
    ] {
        assert_eq!(handed_on(sql, 1, &[]), Some("t"), "{sql}");
    }
    for sql in [
        "FROM t WHERE id > 1",
        "FROM t ORDER BY id",
        "FROM t LIMIT 1",
        "FROM t, u",
        "FROM t AS v(a, b)",
        "FROM t TABLESAMPLE 10%",
        "FROM t UNION ALL FROM t",
        "FROM (FROM t)",
        "SELECT DISTINCT * FROM t",
        "SELECT * EXCLUDE (day) FROM t",
        "SELECT * REPLACE (upper(day) AS day) FROM t",
        "SELECT id, day FROM t",
        "SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY id) = 1",
        "WITH t AS (SELECT 1 AS id) FROM t",
        "VALUES (1)",
        "SELECT 1 AS id",
        // Its column has a name that `build` refuses.
        "FROM u",
    ] {
        assert_eq!(handed_on(sql, 1, &[]), None, "{sql}");
    }
    assert_eq!(handed_on("FROM t", 16, &[]), Some("t"));
    assert_eq!(handed_on("FROM t", 17, &[]), None, "of many files");
    assert_eq!(handed_on("FROM t", 0, &[]), None, "of none");
    assert_eq!(handed_on("FROM t", 1, &[("id", "BIGINT")]), Some("t"));
    let sum = columns(&[("id", "HUGEINT"), ("day", "VARCHAR")]);
    let wanted = [("id".to_owned(), "BIGINT".parse().unwrap())];
    let sql = SqlFile {
        path: Path::new("q.sql"),
        text: "FROM t",
    };
    let inputs = [input("t", &sum, &files[..1])];
    let found = comboi_engine::handed_on(&bench.session, &sql, &inputs, &wanted);
    assert!(found.unwrap().is_none(), "a contract has another type");
}
