//! What every database that tables are read from has to do, whichever it is: one suite, and a stand for each of them.
//!
//! A stand has one table, `t (id, n, at, note)`: a number that is the key, a number that may be NULL, a moment with its time zone,
//! and a text.

mod azure_sql;
mod postgres;

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array as _, RecordBatch};
use comboi_project::SqlType;
use tokio::runtime::Runtime;

use super::{
    Connection, Cursor, Database, Filter, Part, Relation, Sink, Snapshot, SourceColumn,
    arrow_schema,
};
use crate::Error;

/// 2026-03-01 12:00:00 UTC in microseconds.
const NOON: i64 = 1_772_366_400_000_000;
const SECOND: i64 = 1_000_000;

/// A database to hold the suite against.
trait Stand {
    fn database(&self) -> &dyn Database;

    /// Adds the rows 1 to `count`, committed. Row `id` has `n = id / 2` (NULL where `id` is a multiple of 10), `at` = noon and `id`
    /// seconds, and the note `note {id}`.
    fn fill(&self, count: i64);

    /// A transaction that adds row `id` (with `n = id`) and stays open.
    fn begin(&self, id: i64) -> Box<dyn Open + '_>;

    /// The filter for what was written since a bound of the database's own cursor, and that bound's SQL.
    fn own(&self) -> (String, Box<dyn Fn(String) -> Filter>);
}

/// A transaction that is open.
trait Open {
    fn commit(self: Box<Self>);
}

/// A stand and somebody who reads it.
struct Suite<'a> {
    stand: &'a dyn Stand,
    runtime: Runtime,
}

struct Reader<'a> {
    suite: &'a Suite<'a>,
    connection: Box<dyn Connection>,
    columns: Vec<SourceColumn>,
}

#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.0.push(batch);
        Ok(())
    }

    fn cut_off(&mut self, _: usize, _: u64) {}
}

/// A sink that takes nothing.
struct Full;

impl Sink for Full {
    fn put(&mut self, _: RecordBatch) -> Result<(), Error> {
        Err(Error::Configuration("the disk is full".into()))
    }

    fn cut_off(&mut self, _: usize, _: u64) {}
}

fn table() -> Relation {
    Relation::Table("t".into())
}

impl<'a> Suite<'a> {
    fn new(stand: &'a dyn Stand) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self { stand, runtime }
    }

    fn reader(&'a self) -> Reader<'a> {
        let mut connection = self.wait(self.stand.database().connect()).unwrap();
        let columns = self
            .wait(connection.columns(&table(), &BTreeMap::new()))
            .unwrap();
        Reader {
            suite: self,
            connection,
            columns,
        }
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

impl Reader<'_> {
    fn select(&self, relation: &Relation, filter: &Filter) -> String {
        let dialect = self.suite.stand.database().dialect();
        dialect.select(relation, &self.columns, filter)
    }

    fn batches(&mut self, relation: &Relation, filter: &Filter) -> Vec<RecordBatch> {
        let sql = self.select(relation, filter);
        let mut kept = Kept::default();
        let count = self
            .suite
            .wait(self.connection.read(&sql, &self.columns, &mut kept))
            .unwrap();
        assert_eq!(
            count,
            kept.0.iter().map(|it| it.num_rows() as u64).sum::<u64>()
        );
        for batch in &kept.0 {
            assert_eq!(batch.schema(), arrow_schema(&self.columns));
        }
        kept.0
    }

    /// The ids of what is read.
    fn ids(&mut self, relation: &Relation, filter: &Filter) -> Vec<i32> {
        let id = |batch: &RecordBatch| {
            batch
                .column(0)
                .as_primitive::<Int32Type>()
                .values()
                .to_vec()
        };
        self.batches(relation, filter).iter().flat_map(id).collect()
    }

    /// The same in order, and each counted by the database too.
    fn sorted(&mut self, filter: &Filter) -> Vec<i32> {
        let mut ids = self.ids(&table(), filter);
        ids.sort_unstable();
        let count = self
            .suite
            .stand
            .database()
            .dialect()
            .count(&table(), filter);
        assert_eq!(self.one(&count), Some(ids.len().to_string()), "{filter:?}");
        ids
    }

    fn texts(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.suite.wait(self.connection.texts(sql)).unwrap()
    }

    fn one(&mut self, sql: &str) -> Option<String> {
        let mut rows = self.texts(sql);
        assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
        rows.remove(0).remove(0)
    }

    fn freeze(&mut self, other: Option<&Snapshot>) -> Option<Snapshot> {
        self.suite.wait(self.connection.freeze(other)).unwrap()
    }

    fn cursor(&self, names: &[&str]) -> Cursor {
        let of = |name: &str| {
            let column = self.columns.iter().find(|it| it.name == name).unwrap();
            (name.to_owned(), column.source_type.clone())
        };
        Cursor {
            columns: names.iter().map(|name| of(name)).collect(),
        }
    }

    /// The greatest value of a cursor.
    fn greatest(&mut self, cursor: &Cursor, filter: &Filter) -> Option<Vec<String>> {
        let dialect = self.suite.stand.database().dialect();
        let sql = dialect.greatest(&table(), cursor, filter);
        let mut rows = self.texts(&sql);
        assert!(rows.len() <= 1);
        rows.pop()?.into_iter().collect()
    }
}

fn window(
    cursor: &Cursor,
    from: Option<&[String]>,
    below: Option<&[String]>,
    nulls: bool,
) -> Filter {
    Filter::Window {
        cursor: cursor.clone(),
        from: from.map(<[String]>::to_vec),
        below: below.map(<[String]>::to_vec),
        nulls,
        lowest: false,
    }
}

fn columns_have_names_and_lake_types(suite: &Suite<'_>) {
    let reader = suite.reader();
    let told: Vec<(&str, &SqlType)> = reader
        .columns
        .iter()
        .map(|it| (it.name.as_str(), &it.sql_type))
        .take(4)
        .collect();
    assert_eq!(
        told[..2],
        [("id", &SqlType::Integer), ("n", &SqlType::BigInt)]
    );
    assert_eq!((told[2].0, told[3].0), ("at", "note"));
    assert_eq!(told[3].1, &SqlType::Varchar(None));
}

fn a_type_that_people_say_is_the_type(suite: &Suite<'_>) {
    suite.stand.fill(3);
    let mut reader = suite.reader();
    let said = BTreeMap::from([("id".to_owned(), SqlType::Varchar(None))]);
    let asked = suite.wait(reader.connection.columns(&table(), &said));
    reader.columns = asked.unwrap();
    let batches = reader.batches(&table(), &Filter::All);
    let mut texts: Vec<&str> = batches
        .iter()
        .flat_map(|it| it.column(0).as_string::<i32>())
        .flatten()
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, ["1", "2", "3"]);
    // A column that is gone has a type too, as long as the table is told to keep to it.
    let gone = BTreeMap::from([("gone".to_owned(), SqlType::Integer)]);
    let told = suite.wait(reader.connection.columns(&table(), &gone));
    assert_eq!(told.unwrap()[0].sql_type, SqlType::Integer);
}

fn rows_come_in_batches(suite: &Suite<'_>) {
    suite.stand.fill(40_000);
    let mut reader = suite.reader();
    let batches = reader.batches(&table(), &Filter::All);
    assert!(batches.len() > 1, "all rows at once are not bounded memory");
    let nulls: usize = batches.iter().map(|it| it.column(1).null_count()).sum();
    assert_eq!(nulls, 4_000);
    let notes: BTreeSet<String> = batches
        .iter()
        .flat_map(|it| it.column(3).as_string::<i32>())
        .flatten()
        .map(str::to_owned)
        .collect();
    assert_eq!(notes, (1..=40_000).map(|id| format!("note {id}")).collect());
}

fn no_rows_have_a_schema_too(suite: &Suite<'_>) {
    let mut reader = suite.reader();
    assert_eq!(reader.sorted(&Filter::All), Vec::<i32>::new());
    let cursor = reader.cursor(&["at", "id"]);
    assert_eq!(reader.greatest(&cursor, &Filter::All), None);
}

fn a_query_is_read_as_it_is_written(suite: &Suite<'_>) {
    suite.stand.fill(9);
    let mut reader = suite.reader();
    let query = Relation::Query(
        "SELECT id, n, at, note FROM t WHERE id > 7 ORDER BY id -- the last ones;\n;".into(),
    );
    reader.columns = suite
        .wait(reader.connection.columns(&query, &BTreeMap::new()))
        .unwrap();
    let mut ids = reader.ids(&query, &Filter::All);
    ids.sort_unstable();
    assert_eq!(ids, [8, 9]);
    let cursor = reader.cursor(&["id"]);
    let from = window(&cursor, Some(&["9".into()]), None, false);
    assert_eq!(reader.ids(&query, &from), [9]);
}

fn what_writes_is_refused(suite: &Suite<'_>) {
    suite.stand.fill(3);
    let mut reader = suite.reader();
    for text in [
        "DELETE FROM t",
        "SELECT 1 AS one; SELECT 2 AS two",
        "SELECT nope FROM t",
        "SELECT id FROM nowhere",
    ] {
        let query = Relation::Query(text.into());
        let asked = suite.wait(reader.connection.columns(&query, &BTreeMap::new()));
        let error = asked.expect_err(text);
        assert!(!matches!(error, Error::Lost { .. }), "{text}: {error}");
    }
    assert_eq!(reader.sorted(&Filter::All), [1, 2, 3]);
}

fn a_window_has_its_lower_end_and_not_its_upper_one(suite: &Suite<'_>) {
    suite.stand.fill(20);
    let mut reader = suite.reader();
    let by_n = reader.cursor(&["n"]);
    let value = |it: &str| vec![it.to_owned()];
    let mut found = |from: Option<&str>, below: Option<&str>, nulls: bool| {
        let (from, below) = (from.map(value), below.map(value));
        reader.sorted(&window(&by_n, from.as_deref(), below.as_deref(), nulls))
    };
    assert_eq!(found(Some("2"), Some("4"), false), [4, 5, 6, 7]);
    assert_eq!(found(Some("8"), None, false), [16, 17, 18, 19]);
    assert_eq!(found(Some("9"), None, true), [10, 18, 19, 20]);
    assert_eq!(found(None, Some("1"), false), [1]);
    assert_eq!(found(None, Some("1"), true), [1, 10, 20]);
    assert_eq!(found(None, None, true).len(), 20);
    assert_eq!(found(None, None, false).len(), 18);
}

fn the_greatest_value_finds_its_own_row(suite: &Suite<'_>) {
    suite.stand.fill(25);
    let mut reader = suite.reader();
    for (names, at_least, below) in [
        (&["id"][..], 1, 24),
        (&["n"], 2, 21),
        (&["at"], 1, 24),
        (&["at", "id"], 1, 24),
        (&["n", "id"], 1, 22),
    ] {
        let cursor = reader.cursor(names);
        let greatest = reader.greatest(&cursor, &Filter::All).unwrap();
        let ids = reader.sorted(&window(&cursor, Some(&greatest), None, false));
        assert_eq!((ids.len(), ids.last()), (at_least, Some(&25)), "{names:?}");
        let rest = reader.sorted(&window(&cursor, None, Some(&greatest), false));
        assert_eq!(rest.len(), below, "{names:?}");
        // Within what a filter takes.
        let within = reader.greatest(&cursor, &window(&cursor, None, Some(&greatest), false));
        assert_ne!(within, Some(greatest));
    }
    // Fewer values than columns: only so many are compared.
    let both = reader.cursor(&["n", "id"]);
    assert_eq!(
        reader.sorted(&window(&both, Some(&["11".into()]), None, false)),
        [22, 23, 24, 25]
    );
}

fn moments_are_lowered_and_capped(suite: &Suite<'_>) {
    suite.stand.fill(100);
    let mut reader = suite.reader();
    let dialect = suite.stand.database().dialect();
    let at = reader.cursor(&["at"]);
    let greatest = reader.greatest(&at, &Filter::All).unwrap().remove(0);
    let from = |value: Option<String>| window(&at, Some(&[value.unwrap()]), None, false);
    let lowered = dialect.lowered(&at, &greatest, &"30s".parse().unwrap());
    let lowered = reader.one(&lowered);
    assert_eq!(reader.sorted(&from(lowered)).first(), Some(&70));
    let cap = |time: i64, floor: Option<&str>| dialect.capped(&at, &greatest, time, floor).unwrap();
    // The time is less than the value: the time it is, or a second before it. Not below the floor, though.
    let capped = reader.one(&cap(NOON + 50 * SECOND, None));
    assert!(matches!(
        reader.sorted(&from(capped)).first(),
        Some(49 | 50)
    ));
    let capped = reader.one(&cap(NOON + 500 * SECOND, None));
    assert_eq!(reader.sorted(&from(capped)), [100]);
    let capped = reader.one(&cap(NOON, Some(&greatest)));
    assert_eq!(reader.sorted(&from(capped)), [100]);
    let id = reader.cursor(&["id"]);
    assert_eq!(dialect.capped(&id, "5", NOON, None), None);
    let lowered = dialect.lowered(&id, "100", &"7".parse().unwrap());
    assert_eq!(reader.one(&lowered).as_deref(), Some("93"));
}

fn parts_overlap_nowhere_and_leave_nothing_out(suite: &Suite<'_>) {
    suite.stand.fill(5_000);
    let mut reader = suite.reader();
    for count in [1, 3, 16] {
        let (table, key) = (table(), ["id".to_owned()]);
        let parts = reader
            .connection
            .parts(&table, &reader.columns, &key, count);
        let parts = suite.wait(parts).unwrap();
        assert!(
            (1..=2 * count).contains(&parts.len()),
            "{count}: {}",
            parts.len()
        );
        // They are named again after a restart, and read by others.
        let kept = serde_json::to_string(&parts).unwrap();
        let again: Vec<Part> = serde_json::from_str(&kept).unwrap();
        assert_eq!(again, parts);
        let mut other = suite.reader();
        let mut ids: Vec<i32> = again
            .into_iter()
            .flat_map(|part| other.ids(&table, &Filter::Part(part)))
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=5_000).collect::<Vec<i32>>());
    }
}

fn a_frozen_connection_sees_one_state(suite: &Suite<'_>) {
    suite.stand.fill(2);
    let (mut first, mut second) = (suite.reader(), suite.reader());
    let shared = first.freeze(None);
    assert_eq!(first.sorted(&Filter::All), [1, 2]);
    if let Some(shared) = &shared {
        second.freeze(Some(shared));
    }
    suite.stand.begin(3).commit();
    assert_eq!(first.sorted(&Filter::All), [1, 2]);
    if shared.is_some() {
        assert_eq!(second.sorted(&Filter::All), [1, 2]);
    }
    assert_eq!(suite.reader().sorted(&Filter::All), [1, 2, 3]);
}

fn what_is_not_committed_is_not_read(suite: &Suite<'_>) {
    suite.stand.fill(1);
    let mut reader = suite.reader();
    let open = suite.stand.begin(2);
    reader.freeze(None);
    assert_eq!(reader.ids(&table(), &Filter::All), [1]);
    drop(open);
    assert_eq!(suite.reader().sorted(&Filter::All), [1]);
}

fn open_transactions_are_told(suite: &Suite<'_>) {
    suite.stand.fill(1);
    let mut reader = suite.reader();
    let open = suite.stand.begin(2);
    let sql = suite.stand.database().dialect().open_transactions();
    let row = reader.texts(&sql).remove(0);
    let [Some(now), Some(oldest), Some(sees), ..] = row.as_slice() else {
        panic!("{row:?}")
    };
    assert!(oldest.parse::<i64>().unwrap() <= now.parse::<i64>().unwrap());
    assert_eq!(sees, "t");
    open.commit();
}

/// The bound below which nothing changes any more: whatever was open when it was asked for is found from it on.
fn the_own_cursor_waits_for_open_transactions(suite: &Suite<'_>) {
    suite.stand.fill(1);
    let mut reader = suite.reader();
    let (bound, since) = suite.stand.own();
    let late = suite.stand.begin(2);
    suite.stand.begin(3).commit();
    let own = |reader: &mut Reader<'_>| {
        let mut row = reader.texts(&bound).remove(0);
        let held = row.pop().flatten();
        (row.remove(0).unwrap(), held)
    };
    let (while_open, held) = own(&mut reader);
    assert_eq!(held.as_deref(), Some("t"));
    late.commit();
    let found = reader.sorted(&since(while_open));
    assert!(found.contains(&2) && found.contains(&3), "{found:?}");
    // Transactions of others on the same server hold the bound back until they end.
    let mut tries = 0;
    let after = loop {
        let (after, _) = own(&mut reader);
        if reader.sorted(&since(after.clone())).is_empty() {
            break after;
        }
        tries += 1;
        assert!(tries < 600, "the bound does not move");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    suite.stand.begin(4).commit();
    assert_eq!(reader.sorted(&since(after)), [4]);
}

fn a_full_disk_is_told_as_it_is(suite: &Suite<'_>) {
    suite.stand.fill(40_000);
    let mut reader = suite.reader();
    let sql = reader.select(&table(), &Filter::All);
    let read = suite.wait(reader.connection.read(&sql, &reader.columns, &mut Full));
    assert!(matches!(read, Err(Error::Configuration(_))), "{read:?}");
    assert_eq!(suite.reader().sorted(&Filter::All).len(), 40_000);
}

fn the_database_says_what_it_is_and_has(suite: &Suite<'_>) {
    suite.stand.fill(1);
    let mut reader = suite.reader();
    let dialect = suite.stand.database().dialect();
    let about = reader.texts(&dialect.about());
    assert!(about.len() == 1 && about[0].len() == 3 && about[0].iter().all(Option::is_some));
    let catalog = reader.texts(&dialect.catalog());
    let of_t: Vec<&Vec<Option<String>>> = catalog
        .iter()
        .filter(|row| row[1].as_deref() == Some("t"))
        .collect();
    let named: Vec<(&str, &str, Option<&str>)> = of_t
        .iter()
        .map(|row| {
            (
                row[4].as_deref().unwrap(),
                row[6].as_deref().unwrap(),
                row[7].as_deref(),
            )
        })
        .take(4)
        .collect();
    assert_eq!(
        named,
        [
            ("id", "f", Some("1")),
            ("n", "t", None),
            ("at", "t", None),
            ("note", "t", None)
        ]
    );
    let estimate = reader.select(&table(), &Filter::All);
    suite.wait(reader.connection.estimate(&estimate)).unwrap();
}

/// The whole suite for a stand.
macro_rules! conforms {
    ($stand:expr) => {
        $crate::database::conformance::conforms!($stand;
            columns_have_names_and_lake_types,
            a_type_that_people_say_is_the_type,
            rows_come_in_batches,
            no_rows_have_a_schema_too,
            a_query_is_read_as_it_is_written,
            what_writes_is_refused,
            a_window_has_its_lower_end_and_not_its_upper_one,
            the_greatest_value_finds_its_own_row,
            moments_are_lowered_and_capped,
            parts_overlap_nowhere_and_leave_nothing_out,
            a_frozen_connection_sees_one_state,
            what_is_not_committed_is_not_read,
            open_transactions_are_told,
            the_own_cursor_waits_for_open_transactions,
            a_full_disk_is_told_as_it_is,
            the_database_says_what_it_is_and_has
        );
    };
    ($stand:expr; $($behaviour:ident),+) => {$(
        #[test]
        fn $behaviour() {
            let stand = $stand;
            super::$behaviour(&super::Suite::new(&stand));
        }
    )+};
}
use conforms;
