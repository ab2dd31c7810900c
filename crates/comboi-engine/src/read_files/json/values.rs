//! `comboi_json_values(scan)`: every value of every record, with its path; and the types that follow.
//!
//! A path is a JSON array of keys, with `null` for "an item". Values that say the same of their type (two whole
//! numbers, say) are given once by each thread, so that little more than what is hard to tell reaches SQL.

use std::collections::HashMap;
use std::sync::Arc;

use comboi_project::SqlType;
use duckdb::arrow::array::{
    Array as _, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray,
};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
};

use super::super::counts::{self, Counts};
use super::super::infer::{Found, Looks, at_row, formats};
use super::super::run::stream;
use super::super::{Error, Group, TextRules};
use super::records::Block;
use super::rows::{Running, argument, parameters};
use super::text::{Kind, kind, members, parts, unescaped};
use super::{Json, Scan, scan};
use crate::Session;

/// An object with more fields than this is more likely a map of things to values.
const MOST_FIELDS: usize = 200;
/// What is nested deeper stays JSON.
const MOST_LEVELS: usize = 32;
/// Nobody means more columns than this.
const MOST_COLUMNS: usize = 10_000;
/// Values that are given at once.
const ROWS: usize = 2048;

/// The keys of a group's objects in the order of their first appearance, with the narrowest types of their values.
/// Fields of nested values are called by their keys.
pub(in super::super) fn infer(
    session: &Session,
    group: &Group,
    json: &Json,
    rules: &TextRules,
    rows_per_file: Option<u64>,
) -> Result<Vec<Found>, Error> {
    let argument = super::argument(&scan(group, json, rules, rows_per_file));
    let texts = ["\"text\"".to_owned()];
    let query = format!(
        "SELECT path, kind, appeared, {} FROM comboi_json_values({argument})",
        Looks::select(&texts, rules),
    );
    let mut paths = Paths::default();
    let doing = "find the keys of objects";
    stream(&*session.free()?, doing, &query, |rows| {
        paths.see(rows, rules);
    })?;
    let mut root = Tree::default();
    for seen in paths.in_order() {
        let path: Vec<Option<String>> = serde_json::from_str(&seen.path).unwrap_or_default();
        let place = root.at(path);
        place.counts = seen.counts;
        place.objects = seen.objects;
        place.arrays = seen.arrays;
    }
    if root.fields.len() > MOST_COLUMNS {
        let first = group.files.first().map(|it| it.name.as_str());
        return Err(Error::BadFile(format!(
            "`{}`: its objects have more than {MOST_COLUMNS} different keys, too many for columns; put what differs from object to object into one key (`columns: {{that_key: JSON}}`)",
            first.unwrap_or_default()
        )));
    }
    let found = root.fields.into_iter().map(|(key, of)| Found {
        sql_type: of.sql_type(1),
        spelled: key,
    });
    Ok(found.collect())
}

/// What was seen at each path.
#[derive(Default)]
struct Paths {
    all: Vec<Seen>,
    places: HashMap<String, usize>,
}

struct Seen {
    path: String,
    /// When it was seen first.
    first: i64,
    counts: Counts,
    objects: u64,
    arrays: u64,
}

impl Paths {
    /// Counts rows of `path`, `kind`, `appeared`, `text` and what DuckDB says of the text by each format.
    fn see(&mut self, rows: &RecordBatch, rules: &TextRules) {
        let text = |column: usize| -> &StringArray { rows.column(column).as_string() };
        let (paths, kinds, texts) = (text(0), text(1), text(3));
        let appeared = rows.column(2).as_primitive::<Int64Type>();
        let formats = formats(rules);
        let formatted: Vec<(&SqlType, &BooleanArray)> = formats
            .iter()
            .zip((4..).map(|i| rows.column(i).as_boolean()))
            .collect();
        for row in 0..rows.num_rows() {
            let (kind, first) = (kinds.value(row), appeared.value(row));
            let seen = self.at(paths.value(row), first);
            seen.first = seen.first.min(first);
            seen.objects += u64::from(kind == "OBJECT");
            seen.arrays += u64::from(kind == "ARRAY");
            if !texts.is_null(row) {
                let kind = counts::Kind::of_json(kind);
                let formatted = at_row(&formatted, row);
                seen.counts.see(texts.value(row), kind, formatted, rules);
            }
        }
    }

    fn at(&mut self, path: &str, first: i64) -> &mut Seen {
        let place = self.places.get(path).copied().unwrap_or_else(|| {
            self.places.insert(path.to_owned(), self.all.len());
            self.all.push(Seen {
                path: path.to_owned(),
                first,
                counts: Counts::default(),
                objects: 0,
                arrays: 0,
            });
            self.all.len() - 1
        });
        &mut self.all[place]
    }

    /// In the order of their first appearance.
    fn in_order(mut self) -> Vec<Seen> {
        self.all
            .sort_by(|a, b| (a.first, &a.path).cmp(&(b.first, &b.path)));
        self.all
    }
}

/// What was found at a path and below.
#[derive(Default)]
struct Tree {
    counts: Counts,
    objects: u64,
    arrays: u64,
    fields: Vec<(String, Tree)>,
    places: HashMap<String, usize>,
    item: Option<Box<Tree>>,
}

impl Tree {
    fn at(&mut self, path: Vec<Option<String>>) -> &mut Self {
        path.into_iter().fold(self, |tree, step| match step {
            None => tree.item.get_or_insert_default(),
            Some(key) => {
                let place = tree.places.get(&key).copied().unwrap_or_else(|| {
                    tree.places.insert(key.clone(), tree.fields.len());
                    tree.fields.push((key, Self::default()));
                    tree.fields.len() - 1
                });
                &mut tree.fields[place].1
            }
        })
    }

    /// Where values have nothing in common, they stay JSON. Nested texts are not taken for dates.
    fn sql_type(self, level: usize) -> SqlType {
        let all = self.counts.all();
        if all > 0 && self.objects == all {
            if self.fields.is_empty() || self.fields.len() > MOST_FIELDS {
                return SqlType::Json;
            }
            let fields = self.fields.into_iter();
            return SqlType::Struct(
                fields
                    .map(|(key, of)| (key, of.sql_type(level + 1)))
                    .collect(),
            );
        }
        if all > 0 && self.arrays == all {
            if level > MOST_LEVELS {
                return SqlType::Json;
            }
            // A list without items has no type yet.
            let item = self
                .item
                .map_or(SqlType::Null, |item| item.sql_type(level + 1));
            return SqlType::List(Box::new(item));
        }
        match self.counts.sql_type() {
            found if level > 1 && found.is_moment() => SqlType::Varchar(None),
            found => found,
        }
    }
}

pub(super) struct Values;

impl VTab for Values {
    type InitData = Running<Worker>;
    type BindData = Scan;

    fn bind(bind: &BindInfo) -> Result<Scan, Box<dyn std::error::Error>> {
        for name in ["path", "kind", "text"] {
            bind.add_result_column(name, LogicalTypeId::Varchar.into());
        }
        bind.add_result_column("appeared", LogicalTypeId::Bigint.into());
        argument(bind)
    }

    fn init(init: &InitInfo) -> Result<Running<Worker>, Box<dyn std::error::Error>> {
        Ok(Running::new(init))
    }

    fn func(
        call: &TableFunctionInfo<Self>,
        out: &mut DataChunkHandle,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (scan, running) = (call.get_bind_data(), call.get_init_data());
        let mut worker = running.take().unwrap_or_else(|| Worker::new(scan));
        while worker.given.len() < ROWS {
            if worker.block.as_ref().is_none_or(Block::is_done) {
                worker.block = running.feed(scan)?;
            }
            let Some(mut block) = worker.block.take() else {
                break;
            };
            worker.record(&mut block);
            worker.block = Some(block);
        }
        let count = worker.give(out)?;
        if count > 0 {
            running.put_back(worker);
        }
        Ok(())
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        parameters()
    }
}

/// What one thread does, and what it has seen.
pub(super) struct Worker {
    dates_begin_with_digits: bool,
    block: Option<Block>,
    places: Vec<Place>,
    /// What is to be given, the last first.
    given: Vec<Given>,
}

/// A path.
struct Place {
    /// As it is given.
    path: Arc<str>,
    keys: HashMap<String, usize>,
    item: Option<usize>,
    level: usize,
    /// What was given that needs to be given only once: a bit for each [`Plain`].
    plain: u8,
}

struct Given {
    path: Arc<str>,
    kind: Kind,
    text: Option<String>,
    appeared: i64,
}

/// Values that all say the same of their type.
#[derive(Clone, Copy)]
enum Plain {
    Null,
    Object,
    Array,
    Boolean,
    /// A whole number of at most 15 digits.
    Whole,
    /// A text that is nothing but a text.
    Text,
}

impl Worker {
    fn new(scan: &Scan) -> Self {
        Self {
            dates_begin_with_digits: scan.dates_begin_with_digits,
            block: None,
            places: vec![Place {
                path: "[]".into(),
                keys: HashMap::new(),
                item: None,
                level: 0,
                plain: 0,
            }],
            given: Vec::new(),
        }
    }

    /// The values of the next record; of none if it is not a row.
    fn record(&mut self, block: &mut Block) {
        let number = i64::try_from(block.number()).unwrap_or(i64::MAX);
        let Some((_, Ok(text))) = block.next() else {
            return;
        };
        let Ok(members) = members(text) else { return };
        let mut appeared = number.saturating_mul(1_000_000);
        for (key, value) in members {
            if let Some(place) = self.key(0, &key) {
                self.value(place, value, &mut appeared);
            }
        }
    }

    fn value(&mut self, place: usize, value: &str, appeared: &mut i64) {
        *appeared += 1;
        self.push(place, value, *appeared);
        if self
            .places
            .get(place)
            .is_none_or(|it| it.level > MOST_LEVELS)
        {
            return;
        }
        match kind(value) {
            Kind::Object => {
                for (key, value) in parts(value) {
                    let key = unescaped(key);
                    let below = key.and_then(|key| self.key(place, &key));
                    if let Some(below) = below {
                        self.value(below, value, appeared);
                    }
                }
            }
            Kind::Array => {
                let below = self.item(place);
                for (_, value) in parts(value) {
                    self.value(below, value, appeared);
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, place: usize, value: &str, appeared: i64) {
        let kind = kind(value);
        let text = match kind {
            Kind::Null => None,
            Kind::Object | Kind::Array => Some(String::new()),
            Kind::Text => Some(unescaped(value).unwrap_or_default().into_owned()),
            Kind::Number | Kind::Boolean => Some(value.to_owned()),
        };
        let plain = self.plain(kind, text.as_deref().unwrap_or_default());
        let Some(place) = self.places.get_mut(place) else {
            return;
        };
        if let Some(plain) = plain {
            let bit = 1 << (plain as u8);
            if place.plain & bit != 0 {
                return;
            }
            place.plain |= bit;
        }
        self.given.push(Given {
            path: Arc::clone(&place.path),
            kind,
            text,
            appeared,
        });
    }

    fn plain(&self, kind: Kind, text: &str) -> Option<Plain> {
        match kind {
            Kind::Null => Some(Plain::Null),
            Kind::Object => Some(Plain::Object),
            Kind::Array => Some(Plain::Array),
            Kind::Boolean => Some(Plain::Boolean),
            Kind::Number => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let whole = digits.len() <= 15
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && (digits == text || digits != "0");
                whole.then_some(Plain::Whole)
            }
            Kind::Text => {
                let no_digit = !text.starts_with(|c: char| c.is_ascii_digit());
                (self.dates_begin_with_digits && no_digit).then_some(Plain::Text)
            }
        }
    }

    /// The path of a key; none beyond what columns are made of.
    fn key(&mut self, above: usize, key: &str) -> Option<usize> {
        let place = self.places.get(above)?;
        if let Some(known) = place.keys.get(key) {
            return Some(*known);
        }
        let most = if above == 0 {
            MOST_COLUMNS
        } else {
            MOST_FIELDS
        };
        if place.keys.len() > most {
            return None;
        }
        let new = self.below(above, &serde_json::Value::from(key));
        self.places.get_mut(above)?.keys.insert(key.to_owned(), new);
        Some(new)
    }

    fn item(&mut self, above: usize) -> usize {
        if let Some(known) = self.places.get(above).and_then(|it| it.item) {
            return known;
        }
        let new = self.below(above, &serde_json::Value::Null);
        if let Some(place) = self.places.get_mut(above) {
            place.item = Some(new);
        }
        new
    }

    fn below(&mut self, above: usize, step: &serde_json::Value) -> usize {
        let (path, level) = self
            .places
            .get(above)
            .map_or(("[]", 0), |it| (&*it.path, it.level));
        let inner = path.trim_end_matches(']');
        let comma = if inner == "[" { "" } else { "," };
        let path = format!("{inner}{comma}{step}]").into();
        self.places.push(Place {
            path,
            keys: HashMap::new(),
            item: None,
            level: level + 1,
            plain: 0,
        });
        self.places.len() - 1
    }

    fn give(&mut self, out: &mut DataChunkHandle) -> Result<usize, Box<dyn std::error::Error>> {
        let count = self.given.len().min(ROWS);
        let given = self.given.split_off(self.given.len() - count);
        if count == 0 {
            out.set_len(0);
            return Ok(0);
        }
        let paths: StringArray = given.iter().map(|it| Some(&*it.path)).collect();
        let kinds: StringArray = given.iter().map(|it| Some(it.kind.name())).collect();
        let texts: StringArray = given.iter().map(|it| it.text.as_deref()).collect();
        let appeared: Int64Array = given.iter().map(|it| Some(it.appeared)).collect();
        let batch = RecordBatch::try_from_iter([
            ("path", Arc::new(paths) as _),
            ("kind", Arc::new(kinds) as _),
            ("text", Arc::new(texts) as _),
            ("appeared", Arc::new(appeared) as _),
        ])?;
        record_batch_to_duckdb_data_chunk(&batch, out)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_with_its_own_bracket() {
        let scan = Scan {
            files: Vec::new(),
            compression: Default::default(),
            lines: true,
            records: None,
            columns: Vec::new(),
            ignore_unknown: false,
            dates_begin_with_digits: true,
        };
        let mut worker = Worker::new(&scan);
        let a = worker.key(0, "a]").unwrap();
        let item = worker.item(a);
        let b = worker.key(item, "\"").unwrap();
        assert_eq!(&*worker.places[b].path, r#"["a]",null,"\""]"#);
    }
}
