//! What a configuration says that can't be.

use std::collections::HashMap;

use super::{
    ChangedFilePolicy, Config, CsvOptions, FilesSource, FilesTable, Incremental, Lookback, Source,
    Span, check_database, settings,
};
use crate::contract::{Retention, check_age};
use crate::read::{Entries, Located, Reader};
use crate::{Place, Problem, SqlType, Stage, TableName, suggest};

/// Reports everything about a configuration that can be seen to be wrong without the other files.
pub(crate) fn check(config: &Config, reader: &mut Reader) {
    sources(config, reader);
    secrets(config, reader);
    for stage in Stage::ALL {
        let template = config.stages.template(stage);
        if let (Some(written), Some(reason)) = (
            &config.stages.get(stage).remote_path_template,
            template.unfit_for(stage),
        ) {
            report(
                reader,
                &written.place,
                format!("`{template}` can't be the template of {stage}: {reason}"),
                None,
            );
        }
    }
    if let Some(threads) = &config.engine.threads
        && threads.value == 0
    {
        report(
            reader,
            &threads.place,
            "no threads can do no work",
            Some("leave the key out to use every processor".to_owned()),
        );
    }
    if let Some(limit) = &config.engine.memory_limit
        && limit.bytes() < 64_000_000
    {
        report(
            reader,
            &limit.place,
            format!("{} is too little memory to work with", limit.value),
            Some("give it 64MB at least".to_owned()),
        );
    }
}

/// Secrets have to come from somewhere.
fn secrets(config: &Config, reader: &mut Reader) {
    if config.key_vault.is_some() {
        return;
    }
    let all = settings(
        &config.sources,
        &config.stages,
        config.queue.as_ref(),
        config.privacy.as_ref(),
    );
    for setting in all {
        for name in setting.secret_names() {
            let message = format!("the secret `{name}` has no key vault to come from");
            let hint = "name it: `key_vault: {vault_url: https://my-vault.vault.azure.net}`";
            report(reader, setting.place(), message, Some(hint.to_owned()));
        }
    }
}

pub(super) fn report(
    reader: &mut Reader,
    place: &Place,
    message: impl Into<String>,
    hint: Option<String>,
) {
    reader
        .problems
        .push(Problem::at(place, message).maybe_hint(hint));
}

fn sources(config: &Config, reader: &mut Reader) {
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    for source in &config.sources {
        let name = source.name();
        if let Some(first) = seen.insert(name.as_str(), &name.place) {
            report(
                reader,
                &name.place,
                format!("there are two sources `{}`", name.value),
                Some(format!("the other one is at {first}")),
            );
        }
        if name.as_str().parse::<Stage>().is_ok() {
            report(
                reader,
                &name.place,
                format!(
                    "a source can't be called `{}`, because a stage is",
                    name.value
                ),
                None,
            );
        }
        tables(&source.table_names(), &name.place, reader);
        match source {
            Source::Files(files) => files
                .tables
                .iter()
                .for_each(|table| files_table(files, table, reader)),
            Source::Postgres(database) | Source::AzureSql(database) => {
                check_database::check(source, database, reader);
            }
        }
    }
}

fn tables(names: &[&Located<TableName>], source: &Place, reader: &mut Reader) {
    if names.is_empty() && reader.unread.is_empty() {
        report(
            reader,
            source,
            "the source has no tables",
            Some("list what to read under `tables:`".to_owned()),
        );
    }
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    for name in names {
        if let Some(first) = seen.insert(name.as_str(), &name.place) {
            report(
                reader,
                &name.place,
                format!("the source has two tables `{}`", name.value),
                Some(format!("the other one is at {first}")),
            );
        }
        if name.as_str().ends_with("__quarantine") {
            let message = format!(
                "`{}` is the name that the quarantine of another table may have",
                name.value
            );
            report(
                reader,
                &name.place,
                message,
                Some("choose a name that does not end in `__quarantine`".to_owned()),
            );
        }
    }
}

fn files_table(source: &FilesSource, table: &FilesTable, reader: &mut Reader) {
    for glob in table.files.iter() {
        if let Some(reason) = not_a_glob(glob) {
            report(
                reader,
                &glob.place,
                format!("`{}` can't be looked for: {reason}", glob.value),
                Some("write it relative to the source's `path`".to_owned()),
            );
        }
    }
    let name = &table.name.value;
    match (&table.incremental, &table.incremental_column) {
        (Some(said), None) if said.value == Incremental::Column => {
            report(
                reader,
                &said.place,
                format!("`{name}` does not say by which column it grows"),
                Some("name it with `incremental_column:`".to_owned()),
            );
        }
        (Some(said), Some(column)) if said.value != Incremental::Column => {
            let message = format!(
                "`{name}` has an incremental column that `incremental: {}` does not use",
                said.value
            );
            report(
                reader,
                &column.place,
                message,
                Some("leave out one of the two".to_owned()),
            );
        }
        _ => {}
    }
    let is_by_column = table.incremental() == Incremental::Column;
    if let Some(lookback) = table.lookback.as_ref().filter(|_| !is_by_column) {
        lookback_without_column(lookback, name, reader);
    }
    if let (Some(lookback), Some(column)) = (&table.lookback, &table.incremental_column) {
        let mut columns = table.columns.iter();
        let found = columns.find(|(name, _)| name.value.eq_ignore_ascii_case(&column.value));
        if let Some((_, of)) = found.filter(|_| is_by_column) {
            lookback_of_other_type(lookback, &column.value, &of.value, reader);
        }
    }
    if table.incremental() != Incremental::Column {
        max_future_without_column(table.max_future.as_ref(), name, reader);
    }
    let policies = source.policies(table);
    if policies.on_changed_file == ChangedFilePolicy::Reread && !policies.metadata_columns {
        let message = format!(
            "the old rows of a changed file of `{name}` can't be found without the column `_comboi_file`"
        );
        report(
            reader,
            &table.name.place,
            message,
            Some("leave out `metadata_columns: false`, or `on_changed_file: reread`".to_owned()),
        );
    }
    if table.sample_size == 0 {
        report(
            reader,
            &table.name.place,
            format!("`sample_size` of `{name}` has to be 1 at least"),
            None,
        );
    }
    same_column_twice(table.columns.iter().map(|(column, _)| column), reader);
    let key = table.primary_key.iter().flat_map(|it| it.iter());
    same_column_twice(key, reader);
    retention(table.data_retention.as_ref(), &table.columns, reader);
    csv(&table.csv, reader);
}

/// A table has no contract that lists its columns, so the one that tells age has to be named; its type may be known.
pub(super) fn retention(
    said: Option<&Located<Retention>>,
    columns: &Entries<Located<SqlType>>,
    reader: &mut Reader,
) {
    let Some(said) = said else { return };
    match &said.max_age_days {
        Some(days) => check_age(days, reader),
        None => report(
            reader,
            &said.place,
            "nothing says for how long rows are kept",
            Some("say it with `max_age_days:`".to_owned()),
        ),
    }
    let Some(column) = &said.column else {
        let hint = "name the date or timestamp by which it is told with `column:`";
        report(
            reader,
            &said.place,
            "it is not clear how old a row is",
            Some(hint.to_owned()),
        );
        return;
    };
    let mut known = columns.iter();
    let known = known.find(|(name, _)| name.eq_ignore_ascii_case(column));
    if let Some((_, sql_type)) = known
        && !sql_type.is_moment()
    {
        let message = format!(
            "age is told by a date or timestamp, and `{}` is {}",
            column.value, sql_type.value
        );
        report(reader, &column.place, message, None);
    }
}

pub(super) fn lookback_without_column(
    lookback: &Located<Lookback>,
    table: &TableName,
    reader: &mut Reader,
) {
    let hint = "name the column that grows with `incremental_column:`".to_owned();
    report(
        reader,
        &lookback.place,
        format!("`{table}` has a lookback but no column to look back in"),
        Some(hint),
    );
}

/// A lookback that can't be subtracted from a column of a type.
pub(super) fn lookback_of_other_type(
    lookback: &Located<Lookback>,
    column: &str,
    of: &SqlType,
    reader: &mut Reader,
) {
    if let Err(hint) = lookback.value.fits(of) {
        let message = format!(
            "the lookback `{}` can't be subtracted from `{column}`, which is {of}",
            lookback.value
        );
        report(reader, &lookback.place, message, Some(hint.to_owned()));
    }
}

pub(super) fn max_future_without_column(
    span: Option<&Located<Span>>,
    table: &TableName,
    reader: &mut Reader,
) {
    let Some(span) = span else { return };
    let hint = "name the column that grows with `incremental_column:`".to_owned();
    report(
        reader,
        &span.place,
        format!("`{table}` has a `max_future` but no column that it is for"),
        Some(hint),
    );
}

pub(super) fn same_column_twice<'a>(
    columns: impl Iterator<Item = &'a Located<String>>,
    reader: &mut Reader,
) {
    let mut seen: HashMap<String, &Place> = HashMap::new();
    for column in columns {
        if let Some(first) = seen.insert(column.to_ascii_lowercase(), &column.place) {
            report(
                reader,
                &column.place,
                format!("column `{}` is here twice", column.value),
                Some(format!("it is at {first} already")),
            );
        }
    }
}

/// Globs stay below the source's folder.
fn not_a_glob(glob: &str) -> Option<&'static str> {
    if glob.trim().is_empty() {
        return Some("it is empty");
    }
    if glob.contains('\0') {
        return Some("it has a zero byte in it");
    }
    if glob.starts_with(['/', '\\', '~'])
        || glob.contains("://")
        || glob.chars().nth(1) == Some(':')
    {
        return Some("it does not begin in the source's folder");
    }
    glob.split(['/', '\\'])
        .any(|part| part == "..")
        .then_some("`..` would leave the source's folder")
}

fn csv(csv: &CsvOptions, reader: &mut Reader) {
    let single = [
        ("delimiter", &csv.delimiter),
        ("quote", &csv.quote),
        ("escape", &csv.escape),
        ("comment", &csv.comment),
    ];
    for (key, text) in single {
        let Some(text) = text else { continue };
        // The quote may be switched off by an empty text, a tab is easier to see as `\t`.
        let good = text.chars().count() == 1
            || text.as_str() == "\\t"
            || (key != "delimiter" && text.is_empty());
        if !good {
            report(
                reader,
                &text.place,
                format!("`{key}` has to be one character, not `{}`", text.value),
                None,
            );
        }
    }
    if let Some(separator) = &csv.decimal_separator
        && ![".", ","].contains(&separator.as_str())
    {
        report(
            reader,
            &separator.place,
            format!(
                "`decimal_separator` is `.` or `,`, not `{}`",
                separator.value
            ),
            None,
        );
    }
    if let Some(encoding) = &csv.encoding
        && super::encoding(encoding).is_none()
    {
        const USUAL: [&str; 4] = ["utf-8", "utf-16", "latin-1", "windows-1252"];
        let hint = suggest::did_you_mean(encoding, USUAL).unwrap_or_else(|| {
            "`utf-8`, `utf-16`, `latin-1` or another label of the Encoding Standard of the WHATWG"
                .to_owned()
        });
        report(
            reader,
            &encoding.place,
            format!("unknown encoding `{}`", encoding.value),
            Some(hint),
        );
    }
}
