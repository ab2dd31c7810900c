//! Rows of a database's table, brought into a lake of their own that is gone afterwards, and measured there.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use comboi_contract::Facts;
use comboi_engine::{Input, Session};
use comboi_plan::Plan;
use comboi_project::{Project, Source};
use comboi_run::Clock;
use comboi_sources::database::{self, FoundTable};

use crate::cli::Global;
use crate::exit::Usage;
use crate::wiring;

/// What the connection string is called in the configuration that is made for it.
const CONNECTION: &str = "COMBOI_BUILD_CONNECTION";

pub(super) fn measure(
    global: &Global,
    connection: &str,
    table: &str,
    rows: u64,
) -> anyhow::Result<Facts> {
    let folder = wiring::scratch()?;
    let (project, source) = reached(global, connection, folder.path())?;
    let (opened, _) = wiring::databases(&project).open(&source)?;
    let tables = wiring::block_on(database::discover(opened.as_ref()))??;
    let found = named(&tables, table)?;
    let query = found
        .sample_query(&source, rows)
        .ok_or_else(|| Usage("files have no tables".to_owned()))?;
    let project = with_table(project, source, &query, folder.path())?;
    let mut facts = extracted(project)?;
    facts.is_sample = facts.rows == rows;
    facts.primary_key = found.primary_key.clone();
    for column in &mut facts.columns {
        let declared = found.columns.iter().find(|it| it.name == column.name);
        column.declared_not_null = declared.map(|it| !it.nullable);
    }
    Ok(facts)
}

/// The project that knows the database, and the database: a source of the person's project, or a connection string.
fn reached(global: &Global, connection: &str, folder: &Path) -> anyhow::Result<(Project, Source)> {
    if connection.contains(['=', ':']) {
        let project = made_for(connection, folder, "table: data")?;
        let source = project.sources.first().cloned();
        return Ok((project, source.context("the configuration has a source")?));
    }
    let project = wiring::project(global)?;
    let source = project
        .sources
        .iter()
        .find(|source| source.name().value.as_str() == connection)
        .cloned();
    match source {
        Some(Source::Files(_)) => Err(Usage(format!(
            "`{connection}` is a folder of files; name one of them with `--source`"
        ))
        .into()),
        Some(source) => Ok((project, source)),
        None => Err(Usage(format!(
            "`{connection}` is no source of the project, and no connection string such as `postgresql://…` or `Server=…;Database=…`"
        ))
        .into()),
    }
}

/// A project of one table. The connection string goes past every file: it may hold a password.
fn made_for(connection: &str, folder: &Path, table: &str) -> anyhow::Result<Project> {
    let is_postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|start| connection.starts_with(start))
        || !connection.contains(';') && connection.contains("host=");
    let (kind, key) = if is_postgres {
        ("postgres", "conn_str")
    } else {
        ("azure_sql", "dsn")
    };
    let config = format!(
        "name: build\nsources:\n  - name: build\n    type: {kind}\n    connection: {{ {key}: \"{{{{env:{CONNECTION}}}}}\" }}\n    metadata_columns: false\n    tables:\n      - name: data\n        {table}\n"
    );
    let path = folder.join("comboi.yml");
    std::fs::write(&path, config)
        .with_context(|| format!("`{}` could not be written", path.display()))?;
    let env = |name: &str| (name == CONNECTION).then(|| connection.to_owned());
    Project::load(&path, &env).map_err(|problems| {
        // Their places are in a file that nobody has seen.
        let told: Vec<&str> = problems.0.iter().map(|it| it.message.as_str()).collect();
        Usage(format!("`--connection`: {}", told.join("; "))).into()
    })
}

/// The same project with nothing in it but rows of one table, in a lake below `folder`.
fn with_table(
    mut project: Project,
    source: Source,
    query: &str,
    folder: &Path,
) -> anyhow::Result<Project> {
    let made = made_for(
        match source {
            Source::Postgres(_) => "postgresql://localhost/x",
            _ => "Server=localhost;Database=x",
        },
        folder,
        &format!("query: {}", comboi_contract::yaml::quoted(query)),
    )?;
    let skeleton = made.sources.first();
    let tables = match skeleton {
        Some(Source::Postgres(it) | Source::AzureSql(it)) => it.tables.clone(),
        _ => Vec::new(),
    };
    let mut source = source;
    if let Source::Postgres(it) | Source::AzureSql(it) = &mut source {
        it.tables = tables;
        it.metadata_columns = Some(false);
    }
    project.sources = vec![source];
    project.datasets.clear();
    project.stages = made.stages;
    project.folder = folder.to_owned();
    Ok(project)
}

fn extracted(project: Project) -> anyhow::Result<Facts> {
    let id = project
        .dataset_ids()
        .into_iter()
        .next()
        .context("the table is in the project")?;
    let runner = wiring::runner(project, None, Arc::new(|_| {}))?;
    let plan = Plan::of_everything(&runner.project);
    let report = wiring::block_on(runner.run(plan, false))??;
    let failure = report.tasks.iter().find_map(|task| task.failure.as_ref());
    if let Some(failure) = failure {
        anyhow::bail!("the table could not be read: {}", failure.message);
    }
    let table = runner.lake.table(&id);
    let scratch = wiring::scratch()?;
    let (columns, files) = wiring::block_on(async {
        let snapshot = table
            .snapshot()
            .await?
            .ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?;
        let files = table.local_files(&snapshot, scratch.path()).await?;
        anyhow::Ok((snapshot.columns, files))
    })??;
    let session = Session::open(&runner.limits, scratch.path())?;
    let input = Input {
        alias: "data",
        columns: &columns,
        files: &files,
    };
    Ok(comboi_engine::measure(
        &session,
        &input,
        Clock::system().now(),
    )?)
}

/// The table that is meant, however it is quoted.
fn named<'a>(tables: &'a [FoundTable], name: &str) -> anyhow::Result<&'a FoundTable> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '"' | '[' | ']' | '`'))
        .collect();
    let full = |table: &FoundTable| format!("{}.{}", table.schema, table.name);
    let exact = tables.iter().find(|table| full(table) == plain);
    let mut alike = tables.iter().filter(|table| {
        full(table).eq_ignore_ascii_case(&plain) || table.name.eq_ignore_ascii_case(&plain)
    });
    match (exact, alike.next(), alike.next()) {
        (Some(table), _, _) | (None, Some(table), None) => Ok(table),
        (None, Some(one), Some(other)) => Err(Usage(format!(
            "`{name}` may be `{}` or `{}`; name one of them with its schema",
            full(one),
            full(other)
        ))
        .into()),
        (None, None, _) => {
            let names: Vec<String> = tables.iter().map(full).collect();
            let hint = comboi_project::did_you_mean(&plain, names.iter().map(String::as_str))
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            Err(Usage(format!(
                "there is no table `{name}` that this login may read{hint}"
            ))
            .into())
        }
    }
}
