//! What a configuration says of databases that can't be.

use super::check::{
    lookback_of_other_type, lookback_without_column, max_future_without_column, report, retention,
    same_column_twice,
};
use super::{DatabaseIncremental, DatabaseSource, DatabaseTable, Source};
use crate::SqlType;
use crate::read::{Located, Reader};

pub(super) fn check(source: &Source, database: &DatabaseSource, reader: &mut Reader) {
    connection(database, reader);
    at_least_one(database.parallelism.as_ref(), "parallelism", reader);
    if let Some(memory) = &database.extract_memory
        && memory.bytes() < 32_000_000
    {
        report(
            reader,
            &memory.place,
            format!("{} is too little memory for an extract", memory.value),
            Some("give it 32MB at least".to_owned()),
        );
    }
    for it in &database.tables {
        table(source, it, reader);
    }
}

fn connection(database: &DatabaseSource, reader: &mut Reader) {
    let connection = &database.connection;
    let ways = [&connection.dsn, &connection.conn_str, &connection.host];
    let name = &database.name.value;
    match ways.iter().filter(|way| way.is_some()).count() {
        1 => {}
        0 => report(
            reader,
            &connection.place,
            format!("the connection of `{name}` says nothing of where to connect to"),
            Some("give it `dsn`, `conn_str` or `host`".to_owned()),
        ),
        _ => report(
            reader,
            &connection.place,
            format!("the connection of `{name}` is described twice"),
            Some("keep one of `dsn`, `conn_str` and `host`".to_owned()),
        ),
    }
}

fn table(source: &Source, table: &DatabaseTable, reader: &mut Reader) {
    let name = &table.name.value;
    for (key, text) in [("query", &table.query), ("table", &table.table)] {
        if let Some(text) = text
            && text.trim().is_empty()
        {
            report(
                reader,
                &text.place,
                format!("the {key} of `{name}` is empty"),
                None,
            );
        }
    }
    if let (Some(query), Some(_)) = (&table.query, &table.table) {
        report(
            reader,
            &query.place,
            format!("`{name}` has a table and a query"),
            Some("keep the one that is to be read".to_owned()),
        );
    }
    incremental(source, table, reader);
    let is_watermark = table.incremental() == DatabaseIncremental::Watermark;
    match &table.lookback {
        Some(lookback) if !is_watermark => lookback_without_column(lookback, name, reader),
        Some(lookback) => {
            let cursor = table.cursor();
            let first = cursor.first();
            // A time may be kept as text.
            let of = first.and_then(|column| Some((column, declared(table, column)?)));
            if let Some((column, of)) = of.filter(|(_, of)| !of.is_text()) {
                lookback_of_other_type(lookback, column, of, reader);
            }
        }
        None => {}
    }
    if !is_watermark {
        max_future_without_column(table.max_future.as_ref(), name, reader);
    }
    if is_watermark {
        cursor_type(table, reader);
    }
    at_least_one(table.parallelism.as_ref(), "parallelism", reader);
    at_least_one(table.commit_rows.as_ref(), "commit_rows", reader);
    same_column_twice(table.columns.iter().map(|(column, _)| column), reader);
    retention(table.data_retention.as_ref(), &table.columns, reader);
    for names in [&table.primary_key, &table.incremental_column]
        .into_iter()
        .flatten()
    {
        same_column_twice(names.iter(), reader);
    }
}

/// The type that the configuration gives a column of a name.
fn declared<'a>(table: &'a DatabaseTable, column: &str) -> Option<&'a SqlType> {
    let mut columns = table.columns.iter();
    let found = columns.find(|(name, _)| name.value.eq_ignore_ascii_case(column));
    found.map(|(_, of)| &of.value)
}

/// An incremental column of a type whose values do not grow, as far as the type is declared.
fn cursor_type(table: &DatabaseTable, reader: &mut Reader) {
    use SqlType::{Bit, Boolean, Interval, Json, Time, TimeTz};
    for column in table.incremental_column.iter().flat_map(|it| it.iter()) {
        let Some(of) = declared(table, column) else {
            continue;
        };
        if of.is_nested() || matches!(of, Boolean | Bit | Interval | Json | Time | TimeTz) {
            let message = format!(
                "`{}` is {of}, whose values do not grow from row to row",
                column.value
            );
            let hint =
                "name a column of a number, date, timestamp or text that grows with every new row";
            report(reader, &column.place, message, Some(hint.to_owned()));
        }
    }
}

/// Whether the way in which new rows are found and the columns that are named for it fit together.
fn incremental(source: &Source, table: &DatabaseTable, reader: &mut Reader) {
    use DatabaseIncremental::{Full, Rowversion, Watermark, Xmin};
    let name = &table.name.value;
    let column = table
        .incremental_column
        .as_ref()
        .and_then(|it| it.iter().next());
    let Some(said) = &table.incremental else {
        return;
    };
    let mut wrong = |message: String, hint: &str| {
        report(reader, &said.place, message, Some(hint.to_owned()));
    };
    match (said.value, column) {
        (Watermark | Rowversion, None) => wrong(
            format!("`{name}` does not say by which column it grows"),
            "name it with `incremental_column:`",
        ),
        (Full | Xmin, Some(_)) => wrong(
            format!(
                "`{name}` has an incremental column that `incremental: {}` does not use",
                said.value
            ),
            "leave out one of the two",
        ),
        _ => {}
    }
    match (said.value, source) {
        (Rowversion, Source::Postgres(_)) => wrong(
            "PostgreSQL has no row versions".to_owned(),
            "write `xmin` for its transaction ids, or name a column that grows",
        ),
        (Xmin, Source::AzureSql(_)) => wrong(
            "only PostgreSQL has `xmin`".to_owned(),
            "write `rowversion` and name the column of that type, or name a column that grows",
        ),
        (Xmin, _) if table.primary_key.is_none() => wrong(
            format!(
                "`{name}` has no `primary_key`, and `xmin` tells which rows were written, not which are new"
            ),
            "name the columns that tell rows apart with `primary_key:`",
        ),
        (Xmin, _) if table.query.is_some() => wrong(
            format!("`{name}` is a query, and only the rows of a table have an `xmin`"),
            "name the table with `table:` instead of the query",
        ),
        _ => {}
    }
}

fn at_least_one<T: Copy + Into<u64>>(number: Option<&Located<T>>, key: &str, reader: &mut Reader) {
    if let Some(number) = number
        && number.value.into() == 0
    {
        report(
            reader,
            &number.place,
            format!("`{key}` has to be 1 at least"),
            None,
        );
    }
}
