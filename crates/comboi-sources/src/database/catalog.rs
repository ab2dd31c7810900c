//! What a database has to offer.

use comboi_project::Source;

use super::bounds::one_row;
use super::client::{Connection, Database, Dialect};
use super::request::Relation;
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
    /// How new rows may be found, going by names and types: a column, and the mode if it is not `watermark`.
    pub suggestion: Option<Suggestion>,
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

/// How new rows may be found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Suggestion {
    /// `watermark` or `rowversion`.
    pub incremental: &'static str,
    /// By this column.
    pub column: String,
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
    let mut tables = tables(rows);
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
    let found = table.columns.iter().find(|it| it.name == suggestion.column);
    let Some(Ok(kind)) = found.map(|it| dialect.cursor_kind(&it.source_type)) else {
        return Ok(());
    };
    let origin = connection.origin(&relation, &suggestion.column).await?;
    suggestion.doubts = origin.doubts(kind, None, None);
    if !suggestion.doubts.is_empty() {
        suggestion.lookback = Some(if kind.is_time() { "10m" } else { "10000" });
    }
    Ok(())
}

fn tables(rows: Vec<Vec<Option<String>>>) -> Vec<FoundTable> {
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
            finish(&mut tables, &mut key);
            tables.push(FoundTable {
                schema,
                name,
                is_view: kind.as_deref() == Some("view"),
                rows: count.and_then(|text| text.parse().ok()),
                columns: Vec::new(),
                primary_key: Vec::new(),
                suggestion: None,
            });
        }
        if let Some(place) = next().and_then(|text| text.parse().ok()) {
            key.push((place, column.name.clone()));
        }
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    finish(&mut tables, &mut key);
    tables
}

fn finish(tables: &mut [FoundTable], key: &mut Vec<(u32, String)>) {
    let Some(table) = tables.last_mut() else {
        return;
    };
    key.sort();
    table.primary_key = key.drain(..).map(|(_, name)| name).collect();
    table.suggestion = suggestion(&table.columns, &table.primary_key);
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

fn suggestion(columns: &[FoundColumn], key: &[String]) -> Option<Suggestion> {
    let kind = |column: &FoundColumn| column.source_type.to_ascii_lowercase();
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "");
    if let Some(column) = columns.iter().find(|it| kind(it) == "rowversion") {
        return Some(Suggestion {
            incremental: "rowversion",
            column: column.name.clone(),
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
    // A number that grows finds new rows only, so it is proposed where nothing else is there.
    let counted = || match key {
        [one] => columns.iter().find(|it| {
            it.name == *one && ["int", "integer", "bigint"].contains(&kind(it).as_str())
        }),
        _ => None,
    };
    let column = named.or_else(counted)?;
    Some(Suggestion {
        incremental: "watermark",
        column: column.name.clone(),
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

    /// The table as it may stand under `tables:` of the configuration.
    pub fn yaml(&self) -> String {
        let mut name: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '_'
                }
            })
            .collect();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, "t_");
        }
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
            if *incremental != "watermark" {
                lines.push(format!("  incremental: {incremental}"));
            }
            lines.push(format!("  incremental_column: {}", quoted(column)));
            lines.extend(doubts.iter().map(|why| format!("  # `{column}`: {why}")));
            lines.extend(lookback.map(|lookback| format!("  lookback: {lookback}")));
        }
        lines.extend(self.types());
        lines.join("\n") + "\n"
    }
}

/// A text as YAML takes it for that very text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn check(rows: &[&str], expected: &str) {
        let rows = rows
            .iter()
            .map(|row| {
                row.split('|')
                    .map(|cell| (cell != "-").then(|| cell.to_owned()))
                    .collect()
            })
            .collect();
        let told: Vec<String> = tables(rows).iter().map(FoundTable::yaml).collect();
        assert_eq!(told.join(""), expected);
    }

    #[test]
    fn tables_come_as_yaml_with_key_and_cursor() {
        check(
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
  incremental_column: "id"
"#,
        );
        check(
            &[
                "dbo|Customer|table|7|Id|int|f|1",
                "dbo|Customer|table|7|ModifiedDate|datetime2(7)|f|-",
                "dbo|Customer|table|7|v|rowversion|f|-",
            ],
            "- name: customer\n  table: \"dbo.Customer\"\n  primary_key: \"Id\"\n  incremental: rowversion\n  incremental_column: \"v\"\n",
        );
    }
}
