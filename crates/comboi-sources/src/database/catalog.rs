//! What a database has to offer.

use std::collections::BTreeSet;

use comboi_project::{DatabaseIncremental, Source};

use super::bounds::one_row;
use super::client::{Connection, Database, Dialect};
use super::request::{OwnCursor, Relation};
use crate::Error;

/// A database as it answered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Answer {
    /// The server's version, in a line.
    pub version: String,
    /// The database.
    pub database: String,
    /// Who we are there.
    pub login: String,
    /// Whether the login may see everybody's transactions, which keeps rows from being missed that are committed late.
    pub sees_transactions: bool,
}

/// A table or view.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FoundTable {
    /// The schema that it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// About how many rows it has.
    pub rows: Option<u64>,
    /// Its columns, in order.
    pub columns: Vec<FoundColumn>,
    /// Its primary key.
    pub primary_key: Vec<String>,
    /// How new and changed rows may be found, going by names and types.
    pub suggestion: Option<Suggestion>,
    /// A number that grows, which tells new rows from old ones and changed ones from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finds_new_rows_only: Option<String>,
}

/// Digits in front of the point that a proposed type has room for, beyond those that were seen.
const HEADROOM: usize = 3;

/// A column of a table or view.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the database calls it.
    #[serde(rename = "type")]
    pub source_type: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// A type for numbers without a precision, from a look at some rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_type: Option<String>,
}

impl FoundColumn {
    /// Whether it is kept as text unless somebody gives it a type.
    fn has_no_precision(&self) -> bool {
        self.source_type == "numeric"
    }
}

/// How new and changed rows may be found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Suggestion {
    /// `watermark`, `rowversion` or `xmin`.
    pub incremental: DatabaseIncremental,
    /// By this column, if it is not the database's own cursor.
    pub column: Option<String>,
    /// Reading again so far below the checkpoint, where rows may get lower values than others that were read before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookback: Option<&'static str>,
    /// Why rows may be missed without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

/// Connects and asks who answers.
pub async fn ask(database: &dyn Database) -> Result<Answer, Error> {
    let mut connection = database.connect().await?;
    let dialect = database.dialect();
    let mut about = one_row(connection.as_mut(), &dialect.about())
        .await?
        .into_iter();
    let mut next = || about.next().flatten().unwrap_or_default();
    let open = one_row(connection.as_mut(), &dialect.open_transactions()).await?;
    Ok(Answer {
        version: next(),
        database: next(),
        login: next(),
        sees_transactions: open.get(2).and_then(Option::as_deref) == Some("t"),
    })
}

/// Every table and view that the login may read, in order of their names.
pub async fn discover(database: &dyn Database) -> Result<Vec<FoundTable>, Error> {
    let mut connection = database.connect().await?;
    let rows = connection.texts(&database.dialect().catalog()).await?;
    let has_xmin = database.dialect().bound(OwnCursor::Xmin).is_some();
    let mut tables = tables(rows, has_xmin);
    for table in &mut tables {
        propose_types(table, database.dialect(), connection.as_mut()).await?;
        doubt(table, database.dialect(), connection.as_mut()).await?;
    }
    Ok(tables)
}

/// Types for numbers that have no precision, as far as a look at some rows tells.
async fn propose_types(
    table: &mut FoundTable,
    dialect: &dyn Dialect,
    connection: &mut dyn Connection,
) -> Result<(), Error> {
    let columns = table.columns.iter().filter(|it| it.has_no_precision());
    let names: Vec<&str> = columns.map(|it| it.name.as_str()).collect();
    let Some(sql) = dialect.digits(table, &names).filter(|_| !names.is_empty()) else {
        return Ok(());
    };
    let digits = match one_row(connection, &sql).await {
        Ok(digits) => digits,
        Err(lost @ Error::Lost { .. }) => return Err(lost),
        // A view that takes long, or fails: nothing is proposed.
        Err(_) => return Ok(()),
    };
    let key = table.primary_key.clone();
    let numbers = table.columns.iter_mut().filter(|it| it.has_no_precision());
    for (column, digits) in numbers.zip(digits.chunks(2)) {
        let number = |at: usize| digits.get(at)?.as_deref()?.parse::<usize>().ok();
        let (Some(whole), Some(decimals)) = (number(0), number(1)) else {
            continue;
        };
        column.proposed_type = proposed(whole, decimals, key.contains(&column.name));
    }
    Ok(())
}

/// A type with room for more digits than were seen; `None` when the lake has none.
fn proposed(whole: usize, decimals: usize, is_key: bool) -> Option<String> {
    const MOST: usize = 38;
    let scale = match decimals {
        0 if is_key => 0,
        0..=2 => 2,
        more => (more + 2).min(MOST.saturating_sub(whole).max(more)),
    };
    let precision = (whole + HEADROOM + scale).clamp(18, MOST);
    (whole + scale <= MOST).then(|| format!("DECIMAL({precision},{scale})"))
}

/// Whether the suggested column may miss rows.
async fn doubt(
    table: &mut FoundTable,
    dialect: &dyn Dialect,
    connection: &mut dyn Connection,
) -> Result<(), Error> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let relation = Relation::Table(format!("{}.{}", quoted(&table.schema), quoted(&table.name)));
    let Some(suggestion) = &mut table.suggestion else {
        return Ok(());
    };
    let Some(name) = &suggestion.column else {
        return Ok(());
    };
    let found = table.columns.iter().find(|it| it.name == *name);
    let Some(Ok(kind)) = found.map(|it| dialect.cursor_kind(&it.source_type)) else {
        return Ok(());
    };
    let origin = connection.origin(&relation, name).await?;
    suggestion.doubts = origin.doubts(kind, None, None);
    if !suggestion.doubts.is_empty() {
        suggestion.lookback = Some(if kind.is_time() { "10m" } else { "10000" });
    }
    Ok(())
}

fn tables(rows: Vec<Vec<Option<String>>>, has_xmin: bool) -> Vec<FoundTable> {
    let mut tables: Vec<FoundTable> = Vec::new();
    let mut key: Vec<(u32, String)> = Vec::new();
    for row in rows {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (schema, name) = (next().unwrap_or_default(), next().unwrap_or_default());
        let (kind, count) = (next(), next());
        let column = FoundColumn {
            name: next().unwrap_or_default(),
            source_type: next().unwrap_or_default(),
            nullable: next().as_deref() != Some("f"),
            proposed_type: None,
        };
        if !tables
            .last()
            .is_some_and(|last| last.schema == schema && last.name == name)
        {
            finish(&mut tables, &mut key, has_xmin);
            tables.push(FoundTable {
                schema,
                name,
                is_view: kind.as_deref() == Some("view"),
                rows: count.and_then(|text| text.parse().ok()),
                columns: Vec::new(),
                primary_key: Vec::new(),
                suggestion: None,
                finds_new_rows_only: None,
            });
        }
        if let Some(place) = next().and_then(|text| text.parse().ok()) {
            key.push((place, column.name.clone()));
        }
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    finish(&mut tables, &mut key, has_xmin);
    tables
}

fn finish(tables: &mut [FoundTable], key: &mut Vec<(u32, String)>, has_xmin: bool) {
    let Some(table) = tables.last_mut() else {
        return;
    };
    key.sort();
    table.primary_key = key.drain(..).map(|(_, name)| name).collect();
    table.suggestion = suggestion(&table.columns);
    if table.suggestion.is_none() {
        table.suggest_by_key(has_xmin);
    }
}

/// Names of columns that are set on every change, best first.
const CHANGED: [&str; 8] = [
    "updated_at",
    "modified_at",
    "last_modified",
    "last_updated",
    "changed_at",
    "modifieddate",
    "lastmodified",
    "updated_on",
];

fn suggestion(columns: &[FoundColumn]) -> Option<Suggestion> {
    let kind = |column: &FoundColumn| column.source_type.to_ascii_lowercase();
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "");
    if let Some(column) = columns.iter().find(|it| kind(it) == "rowversion") {
        return Some(Suggestion {
            incremental: DatabaseIncremental::Rowversion,
            column: Some(column.name.clone()),
            lookback: None,
            doubts: Vec::new(),
        });
    }
    let is_time = |column: &FoundColumn| {
        let kind = kind(column);
        kind.starts_with("timestamp")
            || kind.starts_with("datetime")
            || kind.starts_with("smalldatetime")
    };
    let named = CHANGED.iter().find_map(|wanted| {
        columns
            .iter()
            .find(|it| is_time(it) && plain(&it.name) == plain(wanted))
    });
    named.map(|column| Suggestion {
        incremental: DatabaseIncremental::Watermark,
        column: Some(column.name.clone()),
        lookback: None,
        doubts: Vec::new(),
    })
}

impl FoundTable {
    /// A query for some of its rows, no more than this many: whichever the database has at hand.
    pub fn sample_query(&self, source: &Source, rows: u64) -> Option<String> {
        let name = |open: char, close: char| {
            let quote = |part: &str| {
                let inner = part.replace(close, &format!("{close}{close}"));
                format!("{open}{inner}{close}")
            };
            format!("{}.{}", quote(&self.schema), quote(&self.name))
        };
        match source {
            Source::Postgres(_) => Some(format!("SELECT * FROM {} LIMIT {rows}", name('"', '"'))),
            Source::AzureSql(_) => Some(format!("SELECT TOP ({rows}) * FROM {}", name('[', ']'))),
            Source::Files(_) => None,
        }
    }

    /// Without a column that is set on every change: PostgreSQL's transaction ids find changed rows of a table that has a key.
    fn suggest_by_key(&mut self, has_xmin: bool) {
        if has_xmin && !self.is_view && !self.primary_key.is_empty() {
            self.suggestion = Some(Suggestion {
                incremental: DatabaseIncremental::Xmin,
                column: None,
                lookback: None,
                doubts: Vec::new(),
            });
        }
        let [key] = self.primary_key.as_slice() else {
            return;
        };
        let is_whole = |column: &&FoundColumn| {
            let kind = column.source_type.to_ascii_lowercase();
            ["int", "integer", "bigint"].contains(&kind.as_str())
        };
        let mut columns = self.columns.iter();
        let column = columns.find(|it| it.name == *key).filter(is_whole);
        self.finds_new_rows_only = column.map(|it| it.name.clone());
    }

    /// The types of columns that have none that the lake keeps.
    fn types(&self) -> Vec<String> {
        let open = self.columns.iter().filter(|it| it.has_no_precision());
        let (proposed, unknown): (Vec<_>, Vec<_>) = open.partition(|it| it.proposed_type.is_some());
        let mut lines = Vec::new();
        if !unknown.is_empty() {
            let names: Vec<&str> = unknown.iter().map(|it| it.name.as_str()).collect();
            lines.push(format!(
                "  # numbers without a precision, kept as text unless `columns` gives them a type: {}",
                names.join(", ").replace(['\n', '\r'], " ")
            ));
        }
        if !proposed.is_empty() {
            let typed = proposed.iter().map(|it| {
                let of = it.proposed_type.as_deref().unwrap_or_default();
                format!("{}: {}", quoted(&it.name), quoted(of))
            });
            let typed: Vec<String> = typed.collect();
            lines.push(format!("  columns: {{{}}}", typed.join(", ")));
        }
        lines
    }

    /// A name that it may have in the configuration.
    fn plain_name(&self, with_schema: bool) -> String {
        let name = match with_schema {
            true => format!("{}_{}", self.schema, self.name),
            false => self.name.clone(),
        };
        let plain = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '_',
        };
        let mut name: String = name.chars().map(plain).collect();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, "t_");
        }
        name.truncate(MOST_LETTERS);
        // It may be that of the quarantine of another table.
        if name.ends_with("__quarantine") {
            name.push_str("_table");
        }
        name
    }

    /// The table as it may stand under `tables:` of the configuration.
    fn yaml(&self, name: &str) -> String {
        let mut lines = vec![
            format!("- name: {name}"),
            format!(
                "  table: {}",
                quoted(&format!("{}.{}", self.schema, self.name))
            ),
        ];
        match self.primary_key.as_slice() {
            [] => {}
            [one] => lines.push(format!("  primary_key: {}", quoted(one))),
            many => lines.push(format!(
                "  primary_key: [{}]",
                many.iter()
                    .map(|it| quoted(it))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        }
        if let Some(Suggestion {
            incremental,
            column,
            lookback,
            doubts,
        }) = &self.suggestion
        {
            if *incremental != DatabaseIncremental::Watermark {
                lines.push(format!("  incremental: {incremental}"));
            }
            if let Some(column) = column {
                lines.push(format!("  incremental_column: {}", quoted(column)));
                lines.extend(doubts.iter().map(|why| format!("  # `{column}`: {why}")));
            }
            lines.extend(lookback.map(|lookback| format!("  lookback: {lookback}")));
        }
        if let Some(column) = &self.finds_new_rows_only {
            let instead = match &self.suggestion {
                Some(Suggestion { incremental, .. }) => {
                    format!(" instead of `incremental: {incremental}`")
                }
                None => String::new(),
            };
            lines.push(format!(
                "  # `incremental_column: {}`{instead} reads less, but finds new rows only, not changed ones",
                quoted(column).replace(['\n', '\r'], " ")
            ));
        }
        lines.extend(self.types());
        lines.join("\n") + "\n"
    }
}

/// The longest name, but for a number at its end.
const MOST_LETTERS: usize = 120;

/// Tables as they may stand under `tables:` of the configuration, each with a name of its own: with its schema where other tables have
/// the same, and a number if that is not enough.
pub fn tables_yaml(tables: &[FoundTable]) -> String {
    let mut taken = BTreeSet::new();
    let mut text = String::new();
    for table in tables {
        let name = table.plain_name(false);
        let is_shared = tables
            .iter()
            .filter(|it| it.plain_name(false) == name)
            .count()
            > 1;
        let name = table.plain_name(is_shared);
        let numbered = (2..).map(|number: u32| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| !taken.contains(name)).unwrap_or(name);
        text.push_str(&table.yaml(&free));
        taken.insert(free);
    }
    text
}

/// A text as YAML takes it for that very text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_a_name_of_its_own() {
        check(
            true,
            &[
                "a|t|table|-|v|text|t|-",
                "a|T|table|-|v|text|t|-",
                "b|t|table|-|v|text|t|-",
                "b|u|table|-|v|text|t|-",
                "c|b_u|table|-|v|text|t|-",
                "c|ü|table|-|v|text|t|-",
                "c|b_u__quarantine|table|-|v|text|t|-",
            ],
            r#"- name: a_t
  table: "a.t"
- name: a_t_2
  table: "a.T"
- name: b_t
  table: "b.t"
- name: u
  table: "b.u"
- name: b_u
  table: "c.b_u"
- name: t__
  table: "c.ü"
- name: b_u__quarantine_table
  table: "c.b_u__quarantine"
"#,
        );
    }

    #[test]
    fn types_have_room_for_more_digits() {
        let check = |whole, decimals, is_key, expected: Option<&str>| {
            assert_eq!(proposed(whole, decimals, is_key).as_deref(), expected);
        };
        check(2, 2, false, Some("DECIMAL(18,2)"));
        check(1, 0, false, Some("DECIMAL(18,2)"));
        check(6, 0, true, Some("DECIMAL(18,0)"));
        check(20, 0, true, Some("DECIMAL(23,0)"));
        check(17, 4, false, Some("DECIMAL(26,6)"));
        check(30, 8, false, Some("DECIMAL(38,8)"));
        check(31, 8, false, None);
        check(40, 0, true, None);
    }

    fn check(has_xmin: bool, rows: &[&str], expected: &str) {
        let rows = rows
            .iter()
            .map(|row| {
                row.split('|')
                    .map(|cell| (cell != "-").then(|| cell.to_owned()))
                    .collect()
            })
            .collect();
        assert_eq!(tables_yaml(&tables(rows, has_xmin)), expected);
    }

    #[test]
    fn tables_come_as_yaml_with_key_and_cursor() {
        check(
            true,
            &[
                "public|Order Items|table|120|line|integer|f|2",
                "public|Order Items|table|120|order_id|integer|f|1",
                "public|Order Items|table|120|updated_at|timestamp with time zone|t|-",
                "public|log|view|-|text|text|t|-",
                "sales|orders|table|7|id|bigint|f|1",
                "sales|orders|table|7|note|text|t|-",
            ],
            r#"- name: order_items
  table: "public.Order Items"
  primary_key: ["order_id", "line"]
  incremental_column: "updated_at"
- name: log
  table: "public.log"
- name: orders
  table: "sales.orders"
  primary_key: "id"
  incremental: xmin
  # `incremental_column: "id"` instead of `incremental: xmin` reads less, but finds new rows only, not changed ones
"#,
        );
        check(
            false,
            &["dbo|log|table|7|Id|int|f|1", "dbo|seen|view|7|Id|int|t|-"],
            "- name: log\n  table: \"dbo.log\"\n  primary_key: \"Id\"\n  # `incremental_column: \"Id\"` reads less, but finds new rows only, not changed ones\n- name: seen\n  table: \"dbo.seen\"\n",
        );
        check(
            false,
            &[
                "dbo|Customer|table|7|Id|int|f|1",
                "dbo|Customer|table|7|ModifiedDate|datetime2(7)|f|-",
                "dbo|Customer|table|7|v|rowversion|f|-",
            ],
            "- name: customer\n  table: \"dbo.Customer\"\n  primary_key: \"Id\"\n  incremental: rowversion\n  incremental_column: \"v\"\n",
        );
    }
}
