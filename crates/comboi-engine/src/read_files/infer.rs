//! What the columns of files are, found in (a sample of) their values.
//!
//! A text is a number only if it would be written the same way again: `007` and `+49…` stay text.

use std::collections::BTreeMap;
use std::path::Path;

use comboi_project::SqlType;

use super::relation::from;
use super::stage::run;
use super::{Error, FileColumn, FileToRead, Group, Layout, TextRules, fit};
use crate::{Session, sql};

/// A column that was found in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As the files spell it; for CSV as the group does.
    pub spelled: String,
    /// The narrowest type that all values looked at have; `Null` if there was none.
    pub sql_type: SqlType,
}

/// The columns of a group's files: by position for CSV, in the order of their first appearance for JSON.
///
/// With `rows_per_file`, only the first rows of each file are looked at. Lines that can't be understood are passed over.
pub fn infer(
    session: &Session,
    group: &Group,
    rules: &TextRules,
    rows_per_file: Option<u64>,
) -> Result<Vec<Found>, Error> {
    if group.files.is_empty() {
        return Ok(Vec::new());
    }
    let instance = session.free()?;
    instance.own(
        "keep the order of rows",
        "SET preserve_insertion_order = true",
    )?;
    let found = match &group.layout {
        Layout::Parquet => Ok(group.columns.iter().map(typed).collect()),
        layout if layout.is_json() => json(session, group, rows_per_file, rules),
        _ => csv(session, group, rows_per_file, rules),
    };
    instance.own(
        "let go of the order of rows",
        "SET preserve_insertion_order = false",
    )?;
    found
}

fn typed(column: &FileColumn) -> Found {
    Found {
        spelled: column.spelled.clone(),
        sql_type: column.sql_type.clone().unwrap_or(SqlType::Varchar(None)),
    }
}

fn sample(group: &Group, rules: &TextRules, what: &str, rows_per_file: Option<u64>) -> String {
    let select = |group: &Group, limit: &str| {
        let from = from(group, rules, true);
        // Mistakes are found and told about later, when everything is read.
        let from = match group.layout {
            Layout::Csv(_) => from.replacen(
                "auto_detect = false",
                "auto_detect = false, ignore_errors = true",
                1,
            ),
            Layout::JsonLines(_) => from.replacen(
                "records = 'false'",
                "records = 'false', ignore_errors = true",
                1,
            ),
            _ => from,
        };
        format!("SELECT {what} FROM {from}{limit}")
    };
    let Some(rows) = rows_per_file else {
        return select(group, "");
    };
    let one = |file: &FileToRead| {
        let group = Group {
            files: vec![file.clone()],
            ..group.clone()
        };
        format!("({})", select(&group, &format!(" LIMIT {rows}")))
    };
    group
        .files
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(" UNION ALL ")
}

/// How many of a column's values are what.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    all: u64,
    boolean: u64,
    bigint: u64,
    hugeint: u64,
    float: u64,
    date: u64,
    timestamp: u64,
    instant: u64,
    /// Objects and lists of JSON.
    nested: u64,
}

pub(super) const COUNTS: usize = 9;

impl Counts {
    pub(super) fn parse(cells: &[Option<String>]) -> Self {
        let mut numbers = cells.iter().map(|cell| {
            cell.as_deref()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        });
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            all: next(),
            boolean: next(),
            bigint: next(),
            hugeint: next(),
            float: next(),
            date: next(),
            timestamp: next(),
            instant: next(),
            nested: next(),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.boolean += other.boolean;
        self.bigint += other.bigint;
        self.hugeint += other.hugeint;
        self.float += other.float;
        self.date += other.date;
        self.timestamp += other.timestamp;
        self.instant += other.instant;
        self.nested += other.nested;
    }

    pub(super) fn sql_type(&self) -> SqlType {
        let all = |count: u64| count == self.all;
        if self.all == 0 {
            SqlType::Null
        } else if self.nested > 0 {
            SqlType::Json
        } else if all(self.boolean) {
            SqlType::Boolean
        } else if all(self.bigint) {
            SqlType::BigInt
        } else if all(self.hugeint) {
            SqlType::HugeInt
        } else if all(self.float) {
            SqlType::Double
        } else if all(self.date) {
            SqlType::Date
        } else if all(self.date + self.timestamp) {
            SqlType::Timestamp
        } else if all(self.date + self.timestamp + self.instant) {
            SqlType::TimestampTz
        } else {
            SqlType::Varchar(None)
        }
    }
}

/// Aggregates in the order of [`Counts`], over a text; `is` tells which kinds of JSON value it may come from.
pub(super) fn counts(c: &str, rules: &TextRules, json_type: Option<&str>) -> String {
    let number = if rules.decimal_comma {
        format!("replace({c}, ',', '.')")
    } else {
        c.to_owned()
    };
    let no_point = if rules.decimal_comma {
        format!(" AND NOT contains({c}, '.')")
    } else {
        String::new()
    };
    let formatted = |to: SqlType| format!("({}) IS NOT NULL", fit::text(c, &to, rules).value);
    let iso = |pattern: &str, to: &str| {
        format!(
            r"regexp_full_match({c}, '\d{{4}}-\d{{2}}-\d{{2}}{pattern}') AND TRY_CAST({c} AS {to}) IS NOT NULL"
        )
    };
    let time = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?";
    let of = |kinds: &str| {
        json_type
            .map(|json_type| format!("{json_type} {kinds} AND "))
            .unwrap_or_default()
    };
    let (numbers, texts, booleans) = (
        of("NOT IN ('OBJECT', 'ARRAY', 'BOOLEAN', 'VARCHAR')"),
        of("= 'VARCHAR'"),
        of("= 'BOOLEAN'"),
    );
    let date = if rules.date_format.is_some() {
        formatted(SqlType::Date)
    } else {
        iso("", "DATE")
    };
    let timestamp = match &rules.timestamp_format {
        Some(format) if format.contains("%z") || format.contains("%Z") => "false".into(),
        Some(_) => formatted(SqlType::Timestamp),
        None => iso(time, "TIMESTAMP"),
    };
    let instant = match &rules.timestamp_format {
        Some(format) if format.contains("%z") || format.contains("%Z") => {
            formatted(SqlType::TimestampTz)
        }
        Some(_) => "false".into(),
        None => iso(
            &format!(r"{time}(Z|[+-]\d{{2}}(:?\d{{2}})?)"),
            "TIMESTAMPTZ",
        ),
    };
    let tests = [
        format!("{booleans}lower({c}) IN ('true', 'false')"),
        format!(
            r"{numbers}regexp_full_match({c}, '-?(0|[1-9]\d{{0,18}})') AND TRY_CAST({c} AS BIGINT) IS NOT NULL"
        ),
        format!(r"{numbers}regexp_full_match({c}, '-?(0|[1-9]\d{{0,37}})')"),
        // 17 digits are what a DOUBLE can tell apart.
        format!(
            r"{numbers}regexp_full_match({number}, '-?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?') AND regexp_matches({number}, '\d') AND length(ltrim(regexp_replace({number}, '[eE].*$|[^0-9]', '', 'g'), '0')) <= 17{no_point}"
        ),
        format!("{texts}{date}"),
        format!("{texts}{timestamp}"),
        format!("{texts}{instant}"),
        json_type.map_or_else(
            || "false".to_owned(),
            |json_type| format!("{json_type} IN ('OBJECT', 'ARRAY')"),
        ),
    ];
    let tests: Vec<String> = tests
        .iter()
        .map(|test| format!("count_if({test})"))
        .collect();
    format!("count({c}), {}", tests.join(", "))
}

fn csv(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
) -> Result<Vec<Found>, Error> {
    let width = group.columns.len();
    let names: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
    let counts: Vec<String> = names.iter().map(|name| counts(name, rules, None)).collect();
    let query = format!(
        "SELECT {} FROM ({})",
        counts.join(", "),
        sample(group, rules, &names.join(", "), rows_per_file)
    );
    let row = run(session.free()?, "find the types of columns", &query)?
        .pop()
        .unwrap_or_default();
    let types = row
        .chunks(COUNTS)
        .map(|cells| Counts::parse(cells).sql_type());
    let found = group.columns.iter().zip(types);
    Ok(found
        .map(|(column, sql_type)| Found {
            spelled: column.spelled.clone(),
            sql_type,
        })
        .collect())
}

fn json(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
) -> Result<Vec<Found>, Error> {
    let query = format!(
        "SELECT key, {}, min(appeared) AS first FROM (SELECT key, appeared, item ->> '$' AS text, json_type(item) AS kind FROM (\
         SELECT unnest(map_keys(m)) AS key, unnest(map_values(m)) AS item, nth * 1000000 + unnest(range(len(map_keys(m)))) AS appeared FROM (SELECT m, row_number() OVER () AS nth FROM ({})))) \
         GROUP BY key ORDER BY first, key",
        counts("text", rules, Some("kind")),
        sample(group, rules, "m", rows_per_file),
    );
    let rows = run(session.free()?, "find the keys of objects", &query)?;
    let found: Vec<Found> = rows
        .into_iter()
        .map(|mut row| {
            let counts = Counts::parse(row.get(1..).unwrap_or_default());
            Found {
                spelled: row.first_mut().and_then(Option::take).unwrap_or_default(),
                sql_type: counts.sql_type(),
            }
        })
        .collect();
    structured(session, group, rows_per_file, rules, found)
}

/// What objects and lists are made of. Where they have nothing in common, they stay JSON.
fn structured(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
    mut found: Vec<Found>,
) -> Result<Vec<Found>, Error> {
    let nested: Vec<String> = found
        .iter()
        .filter(|it| it.sql_type == SqlType::Json)
        .map(|it| sql::text(&it.spelled))
        .collect();
    if nested.is_empty() {
        return Ok(found);
    }
    let query = format!(
        "SELECT key, CAST(json_group_structure(item) AS VARCHAR), bool_and(json_type(item) IN ('OBJECT', 'ARRAY')) FROM (\
         SELECT unnest(map_keys(m)) AS key, unnest(map_values(m)) AS item FROM ({})) \
         WHERE key IN ({}) AND json_type(item) <> 'NULL' GROUP BY key",
        sample(group, rules, "m", rows_per_file),
        nested.join(", "),
    );
    for row in run(session.free()?, "find what objects are made of", &query)? {
        let [Some(key), Some(structure), Some(nested)] = row.as_slice() else {
            continue;
        };
        let structure = serde_json::from_str(structure)
            .ok()
            .and_then(|it| of_structure(&it));
        let place = found.iter_mut().find(|it| it.spelled == *key);
        if let (Some(structure), Some(place), "true") = (structure, place, nested.as_str()) {
            place.sql_type = structure;
        }
    }
    Ok(found)
}

/// An object with more fields than this is more likely a map of things to values.
const MOST_FIELDS: usize = 200;

fn of_structure(structure: &serde_json::Value) -> Option<SqlType> {
    use serde_json::Value;
    Some(match structure {
        Value::Object(fields) if fields.is_empty() || fields.len() > MOST_FIELDS => SqlType::Json,
        Value::Object(fields) => SqlType::Struct(
            fields
                .iter()
                .map(|(name, of)| Some((name.clone(), of_structure(of)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Array(items) => SqlType::List(Box::new(of_structure(items.first()?)?)),
        Value::String(name) => match name.as_str() {
            "BIGINT" | "UBIGINT" | "HUGEINT" => SqlType::BigInt,
            "DOUBLE" => SqlType::Double,
            "BOOLEAN" => SqlType::Boolean,
            "VARCHAR" | "NULL" => SqlType::Varchar(None),
            _ => SqlType::Json,
        },
        _ => return None,
    })
}

/// Parquet files by what they say their columns are. Only their footers are read.
pub fn parquet_groups(
    session: &Session,
    folder: &Path,
    files: &[FileToRead],
) -> Result<Vec<Group>, Error> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<_> = files.iter().map(|file| &file.path).collect();
    let query = format!(
        "SELECT file_name, md5(string_agg(concat_ws('|', name, type, type_length, repetition_type, num_children, converted_type, scale, precision, logical_type), chr(10) ORDER BY column_id)) \
         FROM parquet_schema({}) GROUP BY file_name",
        sql::file_list(&paths)
    );
    let mut schemas = BTreeMap::new();
    for row in run(session.free()?, "read the columns of Parquet files", &query)? {
        let mut cells = row.into_iter();
        let file = cells.next().flatten().unwrap_or_default();
        schemas.insert(file, cells.next().flatten().unwrap_or_default());
    }
    let mut groups: Vec<(String, Vec<FileToRead>)> = Vec::new();
    for file in files {
        let schema = schemas
            .get(file.path.to_string_lossy().as_ref())
            .cloned()
            .unwrap_or_default();
        match groups.iter_mut().find(|(it, _)| *it == schema) {
            Some((_, files)) => files.push(file.clone()),
            None => groups.push((schema, vec![file.clone()])),
        }
    }
    groups
        .into_iter()
        .map(|(_, files)| parquet_group(session, folder, files))
        .collect()
}

fn parquet_group(session: &Session, folder: &Path, files: Vec<FileToRead>) -> Result<Group, Error> {
    let mut group = Group {
        layout: Layout::Parquet,
        folder: folder.to_owned(),
        files,
        columns: Vec::new(),
    };
    let first: Vec<_> = group.files.iter().take(1).map(|file| &file.path).collect();
    let instance = session.free()?;
    let columns = instance.columns(&format!(
        "SELECT * FROM read_parquet({})",
        sql::file_list(&first)
    ));
    let columns = columns
        .map_err(|failure| instance.explain(failure, "read the columns of a Parquet file"))?;
    let column = |column: comboi_project::Column| FileColumn {
        spelled: column.name,
        name: None,
        sql_type: Some(column.sql_type),
    };
    group.columns = crate::instance::typed(columns)?
        .0
        .into_iter()
        .map(column)
        .collect();
    Ok(group)
}
