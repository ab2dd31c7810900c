//! `comboi linkage`: a look into the model by which rows are compared.

mod chart;
mod evaluate;
mod labels;
mod page;
mod told;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use comboi_engine::{Built, Given, Input, Session, SqlFile};
use comboi_linkage::Waterfall;
use comboi_project::{Dataset, Deduplication, Project};
use comboi_run::{Clock, Learn, Link};

use crate::cli::{Global, LinkageCommand, Output};
use crate::exit::{Exit, Usage};
use crate::wiring;

pub(crate) fn linkage(
    global: &Global,
    command: &LinkageCommand,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    match command {
        LinkageCommand::Train {
            dataset,
            to,
            output,
        } => {
            let opened = Opened::of(global, dataset, Learn::All)?;
            let to = to.clone().or_else(|| opened.saved_to());
            if let Some(to) = &to {
                let saved = comboi_run::save_model(&opened.link.model(), to);
                saved
                    .with_context(|| format!("the model could not be saved to {}", to.display()))?;
            }
            told::model(&opened, to.as_deref(), *output, out)?;
        }
        LinkageCommand::Explain {
            dataset,
            id,
            other,
            output,
        } => {
            let opened = Opened::of(global, dataset, Learn::AsSaid)?;
            let waterfall = opened.link.linkage.explain(id, other)?;
            match output {
                Output::Json => super::json(out, &waterfall)?,
                Output::Text => write!(out, "{}", told::waterfall(&waterfall, &opened.how))?,
            }
        }
        LinkageCommand::Evaluate {
            dataset,
            labels,
            output,
        } => evaluate::evaluate(
            &Opened::of(global, dataset, Learn::AsSaid)?,
            labels,
            *output,
            out,
        )?,
        LinkageCommand::Chart { dataset, to } => {
            let opened = Opened::of(global, dataset, Learn::AsSaid)?;
            let page = chart::page(&opened)?;
            std::fs::write(to, page)
                .with_context(|| format!("{} could not be written", to.display()))?;
            writeln!(out, "written to {}", to.display())?;
        }
    }
    Ok(Exit::Good)
}

impl LinkageCommand {
    /// How the command's result is told.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Train { output, .. }
            | Self::Explain { output, .. }
            | Self::Evaluate { output, .. } => *output,
            Self::Chart { .. } => Output::Text,
        }
    }
}

/// A dataset's model and the rows of its query, before any of them was taken for another.
struct Opened {
    project: Arc<Project>,
    dataset: String,
    how: Deduplication,
    rows: Built,
    link: Link,
    session: Session,
    /// Declared last: removed when nothing reads from it any more.
    _scratch: tempfile::TempDir,
}

impl Opened {
    fn of(global: &Global, dataset: &str, learn: Learn) -> anyhow::Result<Self> {
        let project = Arc::new(wiring::project(global)?);
        // A table of a source may have the same name; its rows are not compared.
        let mut compared = project.datasets.iter().filter(|one| {
            one.id.name() == dataset && one.dedupe.as_ref().is_some_and(Deduplication::compares)
        });
        let id = match (compared.next(), compared.next()) {
            (Some(one), None) => one.id.clone(),
            _ => wiring::dataset(&project, dataset)?,
        };
        let found = project
            .dataset(&id)
            .and_then(|found| Some((found, found.dedupe.as_ref()?)));
        let Some((found, how)) = found.filter(|(_, how)| how.compares()) else {
            let text = format!(
                "the rows of `{id}` are not compared: it has neither `splink:` nor `comparisons` in `dedupe:`"
            );
            return Err(Usage(text).into());
        };
        let how = how.clone();
        let scratch = wiring::private_scratch(&project)?;
        let session = Session::open(&wiring::limits(&project), scratch.path())?;
        let rows = rows(&project, found, &session, scratch.path())?;
        let link = Link::open(&session, &rows.input("rows"), &how, learn)?;
        Ok(Self {
            dataset: id.to_string(),
            how,
            rows,
            link,
            session,
            project,
            _scratch: scratch,
        })
    }

    fn saved_to(&self) -> Option<PathBuf> {
        let path = self.how.how.save_model.as_ref()?;
        Some(self.project.path(&path.value))
    }
}

/// What the dataset's query returns over what the lake has now.
fn rows(
    project: &Project,
    dataset: &Dataset,
    session: &Session,
    folder: &Path,
) -> anyhow::Result<Built> {
    let lake = wiring::lake(project)?;
    let fetched = wiring::block_on(async {
        let mut fetched = Vec::new();
        for input in &dataset.inputs {
            let table = lake.table(&input.dataset);
            let snapshot = table.snapshot().await?;
            let snapshot =
                snapshot.ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?;
            let folder = folder.join(input.alias.as_str());
            let files = table.local_files(&snapshot, &folder).await?;
            fetched.push((input.alias.to_string(), snapshot.columns, files));
        }
        Ok::<_, comboi_lake::Error>(fetched)
    })??;
    let inputs: Vec<Input<'_>> = fetched
        .iter()
        .map(|(alias, columns, files)| Input {
            alias,
            columns,
            files,
        })
        .collect();
    let sql = SqlFile {
        path: &dataset.sql.path,
        text: &dataset.sql.text,
    };
    let key = match &project.privacy {
        Some(privacy) if comboi_engine::needs_key(session, &sql)?.is_some() => {
            Some(wiring::databases(project).reveal(&privacy.key)?)
        }
        _ => None,
    };
    session.give(Given {
        run_at: Clock::system().now(),
        key,
    });
    let to = folder.join("rows.parquet");
    Ok(comboi_engine::build(session, &sql, &inputs, None, &to)?)
}

/// Whether this pair would be one thing.
fn is_match(waterfall: &Waterfall, how: &Deduplication) -> bool {
    waterfall.probability >= how.how.threshold.value
}
