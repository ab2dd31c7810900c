//! Commands that ask databases: `comboi test-connection`, `discover`, `backfill` and `reconcile`.

use std::io::Write;

use comboi_project::{DatasetId, Lookback, Project, Source, SourceName, TableName};
use comboi_run::Reconciled;
use comboi_sources::database::{self, FoundTable};

use crate::cli::{Global, Output};
use crate::exit::{Exit, Usage};
use crate::{logging, text, wiring};

pub(crate) fn test_connection(
    global: &Global,
    source: Option<&SourceName>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let sources: Vec<&Source> = match source {
        Some(name) => vec![database_source(&project, name)?],
        None => project
            .sources
            .iter()
            .filter(|it| !matches!(it, Source::Files(_)))
            .collect(),
    };
    let databases = wiring::databases(&project);
    let mut answers = Vec::new();
    let mut code = Exit::Good;
    for source in sources {
        let name = &source.name().value;
        let opened = databases.open(source);
        let asked = match opened {
            Ok((found, notes)) => {
                wiring::block_on(database::ask(found.as_ref()))?.map(|answer| (answer, notes))
            }
            Err(e) => Err(e),
        };
        match (asked, output) {
            (Ok((answer, notes)), Output::Text) => {
                writeln!(
                    out,
                    "{name}: good. {}; database {}, login {}",
                    answer.version, answer.database, answer.login
                )?;
                if !answer.sees_transactions {
                    writeln!(
                        out,
                        "  the login may not see other people's transactions: rows that are committed late are found by `lookback` only"
                    )?;
                }
                for note in notes {
                    writeln!(out, "  {note}")?;
                }
            }
            (Ok((answer, notes)), Output::Json) => answers
                .push(serde_json::json!({ "source": name, "answer": answer, "notes": notes })),
            (Err(e), output) => {
                code = Exit::Failed;
                let error = format!("{:#}", anyhow::Error::from(e));
                match output {
                    Output::Text => writeln!(out, "{name}: {error}")?,
                    Output::Json => {
                        answers.push(serde_json::json!({ "source": name, "error": error }));
                    }
                }
            }
        }
    }
    if output == Output::Json {
        super::json(out, &answers)?;
    }
    Ok(code)
}

pub(crate) fn discover(
    global: &Global,
    source: &SourceName,
    yaml: bool,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let (found, _) = wiring::databases(&project).open(database_source(&project, source)?)?;
    let tables = wiring::block_on(database::discover(found.as_ref()))??;
    match output {
        Output::Json => super::json(out, &tables)?,
        Output::Text if yaml => {
            write!(out, "{}", indented(&database::tables_yaml(&tables)))?;
        }
        Output::Text => {
            for table in &tables {
                told(table, out)?;
            }
            if tables.is_empty() {
                writeln!(out, "There is no table that this login may read.")?;
            } else {
                writeln!(
                    out,
                    "`comboi discover --source {source} --yaml` prints them for the configuration."
                )?;
            }
        }
    }
    Ok(Exit::Good)
}

/// As deep as tables stand below a source.
fn indented(yaml: &str) -> String {
    yaml.lines().map(|line| format!("      {line}\n")).collect()
}

fn told(table: &FoundTable, out: &mut dyn Write) -> anyhow::Result<()> {
    let kind = if table.is_view { "view" } else { "table" };
    let rows = table
        .rows
        .map(|rows| format!(", about {}", text::counted(rows, "row")))
        .unwrap_or_default();
    let own = table.suggestion.as_ref().filter(|it| it.column.is_none());
    let own = own.map(|it| format!(", suggested: `incremental: {}`", it.incremental));
    writeln!(
        out,
        "{}.{} ({kind}{rows}{})",
        table.schema,
        table.name,
        own.unwrap_or_default()
    )?;
    let row = |column: &database::FoundColumn| {
        let mut notes = Vec::new();
        if let Some(place) = table
            .primary_key
            .iter()
            .position(|name| *name == column.name)
        {
            notes.push(match table.primary_key.len() {
                1 => "primary key".to_owned(),
                _ => format!("primary key, column {}", place + 1),
            });
        }
        if let Some(suggestion) = table
            .suggestion
            .as_ref()
            .filter(|it| it.column.as_ref() == Some(&column.name))
        {
            notes.push(format!(
                "suggested incremental column ({})",
                suggestion.incremental
            ));
        }
        let nullable = if column.nullable { "" } else { "not null" };
        vec![
            format!("  {}", column.name),
            column.source_type.clone(),
            nullable.to_owned(),
            notes.join("; "),
        ]
    };
    write!(
        out,
        "{}",
        text::table(&table.columns.iter().map(row).collect::<Vec<_>>())
    )?;
    writeln!(out)?;
    Ok(())
}

/// What is to be read again.
pub(crate) struct Again<'a> {
    pub(crate) source: &'a SourceName,
    pub(crate) table: &'a TableName,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) chunk: Option<&'a Lookback>,
}

pub(crate) fn backfill(
    global: &Global,
    again: &Again<'_>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let id = table(&project, again.source, again.table)?;
    let ranges = database::split_range(again.from, again.to, again.chunk).map_err(Usage)?;
    logging::start_for(global, &project)?;
    let runner = wiring::quiet_runner(project)?;
    let mut done = Vec::new();
    let mut failed = Ok(());
    let work = runner.backfill(&id, &ranges, |range| {
        if output == Output::Text && failed.is_ok() {
            failed = writeln!(
                out,
                "{id} [{}, {}): {}",
                range.from,
                range.below,
                text::counted(range.rows, "new or changed row")
            );
        }
        done.push(range.clone());
    });
    let result = wiring::block_on(work)?;
    failed?;
    if output == Output::Json {
        super::json(out, &done)?;
    }
    result?;
    if output == Output::Text {
        let rows = done.iter().map(|range| range.rows).sum();
        writeln!(
            out,
            "{id}: {}; the checkpoint is where it was",
            text::counted(rows, "new or changed row")
        )?;
    }
    Ok(Exit::Good)
}

pub(crate) fn reconcile(
    global: &Global,
    source: &SourceName,
    name: &TableName,
    ranges: u16,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let id = table(&project, source, name)?;
    let runner = wiring::quiet_runner(project)?;
    let found = wiring::block_on(runner.reconcile(&id, usize::from(ranges)))??;
    let differ = found.ranges.iter().any(|range| !range.same);
    match output {
        Output::Json => super::json(out, &reconciled_json(&found))?,
        Output::Text => reconciled(&id, &found, out)?,
    }
    Ok(if differ { Exit::Failed } else { Exit::Good })
}

fn reconciled(id: &DatasetId, found: &Reconciled, out: &mut dyn Write) -> anyhow::Result<()> {
    let by = found.by.as_deref().unwrap_or("the whole table");
    let mut rows = vec![vec![
        by.to_owned(),
        "source".to_owned(),
        "lake".to_owned(),
        String::new(),
    ]];
    for range in found.ranges.iter().filter(|range| !range.same) {
        let place = match (&range.from, &range.to) {
            (Some(from), Some(to)) => format!("{from} … {to}"),
            _ if found.by.is_some() => "NULL".to_owned(),
            _ => String::new(),
        };
        let what = match range.left.cmp(&range.right) {
            std::cmp::Ordering::Equal => "other values".to_owned(),
            std::cmp::Ordering::Greater => {
                format!("{} missing", text::count(range.left - range.right))
            }
            std::cmp::Ordering::Less => {
                format!("{} too many", text::count(range.right - range.left))
            }
        };
        rows.push(vec![
            place,
            text::count(range.left),
            text::count(range.right),
            what,
        ]);
    }
    let (source, lake): (u64, u64) = (
        found.ranges.iter().map(|it| it.left).sum(),
        found.ranges.iter().map(|it| it.right).sum(),
    );
    if rows.len() == 1 {
        writeln!(
            out,
            "{id}: the lake has what the source has, {}, in {} of `{by}`",
            text::counted(source, "row"),
            text::counted(found.ranges.len() as u64, "range")
        )?;
    } else {
        writeln!(
            out,
            "{id}: {} in the source, {} in the lake. Ranges that differ:",
            text::counted(source, "row"),
            text::counted(lake, "row")
        )?;
        write!(out, "{}", text::table(&rows))?;
        writeln!(
            out,
            "What changed since the last run counts as a difference: `comboi run bronze` first. `comboi backfill` reads a range again; rows that were deleted in the source stay in the lake."
        )?;
    }
    if !found.not_compared.is_empty() {
        writeln!(
            out,
            "Not compared, because only one of both has them: {}",
            found.not_compared.join(", ")
        )?;
    }
    Ok(())
}

fn reconciled_json(found: &Reconciled) -> serde_json::Value {
    let range = |range: &comboi_engine::ComparedRange| serde_json::json!({ "from": range.from, "to": range.to, "source_rows": range.left, "lake_rows": range.right, "same": range.same });
    serde_json::json!({
        "by": found.by,
        "same": found.ranges.iter().all(|range| range.same),
        "ranges": found.ranges.iter().map(range).collect::<Vec<_>>(),
        "not_compared": found.not_compared,
    })
}

fn database_source<'a>(project: &'a Project, name: &SourceName) -> Result<&'a Source, Usage> {
    let found = project
        .sources
        .iter()
        .find(|source| source.name().value == *name);
    match found {
        Some(Source::Files(_)) => Err(Usage(format!(
            "`{name}` is a folder of files, not a database"
        ))),
        Some(source) => Ok(source),
        None => {
            let names: Vec<&str> = project
                .sources
                .iter()
                .map(|source| source.name().value.as_str())
                .collect();
            let hint = comboi_project::did_you_mean(name.as_str(), names.iter().copied())
                .unwrap_or_else(|| format!("there is {}", names.join(", ")));
            Err(Usage(format!("there is no source `{name}`; {hint}")))
        }
    }
}

fn table(project: &Project, source: &SourceName, table: &TableName) -> anyhow::Result<DatasetId> {
    database_source(project, source)?;
    wiring::dataset(project, &format!("bronze/{source}/{table}"))
}
