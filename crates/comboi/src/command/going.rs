//! `comboi drop` and `comboi rename`, and what other commands tell of datasets that no file of the project names.

use std::io::Write;

use comboi_lake::{Lake, Latest};
use comboi_project::{DatasetId, Project};
use comboi_run::Dropped;
use serde_json::json;

use crate::cli::{Global, Output};
use crate::exit::{Exit, Usage, told_error};
use crate::{logging, text, wiring};

pub(crate) fn drop(
    global: &Global,
    dataset: &str,
    yes: bool,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let id = wiring::dataset_in_lake(&project, &wiring::lake(&project)?, dataset)?;
    let is_named = project.dataset_ids().contains(&id);
    if yes {
        logging::start_for(global, &project)?;
    }
    let runner = wiring::quiet_runner(project)?;
    let there = wiring::block_on(runner.would_drop(&id))??;
    let Some(would) = there else {
        return Err(comboi_lake::Error::Missing(id.to_string()).into());
    };
    let goes = would.going.as_ref().is_some_and(|going| going.to.is_none());
    if is_named && !goes {
        return Err(Usage(format!(
            "`{id}` is in the project, so the next run would make it again; take it out of the configuration first. To make it anew: {}",
            anew(&id)
        ))
        .into());
    }
    if !yes {
        if output == Output::Text {
            tell(&would, out)?;
        }
        return Err(Usage(format!(
            "nothing was deleted; `comboi drop {id} --yes` deletes `{id}` for good"
        ))
        .into());
    }
    let dropped = wiring::block_on(runner.drop_dataset(&id))??.unwrap_or(would);
    match output {
        Output::Json => super::json(out, &as_json(&dropped))?,
        Output::Text => {
            tell(&dropped, out)?;
            writeln!(out, "`{id}` is deleted.")?;
        }
    }
    Ok(Exit::Good)
}

fn anew(id: &DatasetId) -> String {
    match id {
        DatasetId::Extracted(source, table) => {
            format!("`comboi reset-checkpoint --source {source} --table {table}`")
        }
        DatasetId::Built(..) => format!("`comboi run all --rebuild --select {id}`"),
    }
}

fn tell(dropped: &Dropped, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut rows = vec![
        ["table", "rows", "files", "size"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let id = dropped.dataset.to_string();
    for (name, deleted) in &dropped.tables {
        let row_count = dropped.row_count.filter(|_| *name == id);
        rows.push(vec![
            name.clone(),
            row_count.map(text::count).unwrap_or_default(),
            text::count(deleted.files as u64),
            text::bytes(deleted.size_bytes),
        ]);
    }
    write!(out, "{}", text::table(&rows))?;
    Ok(())
}

fn as_json(dropped: &Dropped) -> serde_json::Value {
    let tables = dropped.tables.iter();
    let tables: Vec<_> = tables
        .map(|(name, deleted)| {
            json!({ "table": name, "files_deleted": deleted.files, "bytes_deleted": deleted.size_bytes })
        })
        .collect();
    json!({
        "dataset": dropped.dataset,
        "rows": dropped.row_count,
        "run": dropped.run,
        "tables": tables,
    })
}

pub(crate) fn rename(
    global: &Global,
    old: &str,
    new: &str,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let to = wiring::dataset(&project, new).map_err(|unknown| {
        Usage(format!(
            "{unknown}; give the dataset its new name in the configuration first"
        ))
    })?;
    let from = wiring::dataset_in_lake(&project, &wiring::lake(&project)?, old)?;
    let refused = if project.dataset_ids().contains(&from) {
        Some(format!(
            "`{from}` is in the project; give it its new name in the configuration first"
        ))
    } else if from.stage() != to.stage() {
        Some(format!(
            "`{from}` and `{to}` are of two stages, which may be in two storages; the next run makes `{to}`, and `comboi drop {from}` deletes the other"
        ))
    } else {
        None
    };
    if let Some(why) = refused {
        return Err(Usage(why).into());
    }
    logging::start_for(global, &project)?;
    let runner = wiring::quiet_runner(project)?;
    let renamed = wiring::block_on(runner.rename(&from, &to))??;
    match output {
        Output::Json => super::json(
            out,
            &json!({
                "from": from,
                "to": to,
                "rows": renamed.row_count,
                "version": renamed.version,
                "run": renamed.run,
            }),
        )?,
        Output::Text => writeln!(
            out,
            "`{from}` is `{to}` now: {}, version {}",
            text::counted(renamed.row_count, "row"),
            renamed.version
        )?,
    }
    Ok(Exit::Good)
}

/// A dataset in the lake that no file of the project names.
pub(crate) struct Unnamed {
    pub(crate) dataset: DatasetId,
    /// What the lake has of it; `None` if only what was beside it is there.
    pub(crate) found: Result<Option<Latest>, comboi_lake::Error>,
    /// What was begun with it and has not ended.
    going: Option<String>,
}

impl Unnamed {
    /// All of them.
    pub(crate) async fn all(
        project: &Project,
        lake: &Lake,
    ) -> Result<Vec<Self>, comboi_lake::Error> {
        let mut all = Vec::new();
        for dataset in comboi_run::not_in_project(lake, project).await? {
            let table = lake.table(&dataset);
            let found = table.latest().await;
            let latest = found.as_ref().ok().and_then(Option::as_ref);
            let going = latest.and_then(|latest| table.going(&latest.properties));
            all.push(Self {
                dataset,
                going: going.map(|going| going.to_string()),
                found,
            });
        }
        Ok(all)
    }

    /// The pipeline that wrote it; `None` if it is not noted.
    pub(crate) fn pipeline(&self) -> Option<String> {
        let latest = self.found.as_ref().ok()?.as_ref()?;
        comboi_run::pipeline_of(&latest.properties).map(|pipeline| pipeline.to_string())
    }

    pub(crate) fn row_count(&self) -> Option<u64> {
        Some(self.found.as_ref().ok()?.as_ref()?.row_count)
    }

    /// Its name, its rows and whose it is.
    fn told(&self, project: &Project) -> String {
        let mut known = Vec::new();
        match &self.found {
            Ok(Some(latest)) => known.push(text::counted(latest.row_count, "row")),
            Ok(None) => known.push("only what was beside it".to_owned()),
            Err(e) => known.push(told_error(e)),
        }
        let pipeline = self.pipeline().filter(|it| it != project.name.as_str());
        known.extend(pipeline.map(|it| format!("written by the pipeline `{it}`")));
        known.extend(self.going.clone());
        format!("{} ({})", self.dataset, known.join("; "))
    }
}

/// In one sentence, which these are and what to do; `None` if there is none.
pub(crate) fn told(unnamed: &[Unnamed], project: &Project) -> Option<String> {
    if unnamed.is_empty() {
        return None;
    }
    let names: Vec<String> = unnamed.iter().map(|it| it.told(project)).collect();
    Some(format!(
        "in the lake, not in the project: {}; `comboi rename OLD NEW` gives a dataset the name that it has in the project now, `comboi drop DATASET` deletes it",
        names.join(", ")
    ))
}
