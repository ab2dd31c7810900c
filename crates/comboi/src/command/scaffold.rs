//! `comboi scaffold`: the beginning of a transformation.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use comboi_contract::{About, Entry, Facts};
use comboi_engine::{Input, Limits, Session};
use comboi_project::{Alias, Columns, Project, Stage};
use comboi_run::Clock;
use serde_json::json;

use crate::cli::{Global, Output, ScaffoldArgs};
use crate::exit::{Exit, Usage};
use crate::wiring;

use super::contract::found;
use super::generate::write;

pub(crate) fn scaffold(
    global: &Global,
    asked: &ScaffoldArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let stage = if asked.stage == "gold" {
        Stage::Gold
    } else {
        Stage::Silver
    };
    let new = New {
        inputs: inputs(&project, &asked.input)?,
        project: &project,
        asked,
        stage,
    };
    let name = &asked.name;
    let with_contract = asked.contract || asked.contract_only;
    let contract_path = new
        .project
        .path(project.stages.contracts_path(stage))
        .join(format!("{name}.yml"));
    let sql_path = new
        .project
        .path(project.stages.transformations_path(stage))
        .join(format!("{name}.sql"));
    let mut paths = Vec::new();
    if with_contract {
        paths.push(&contract_path);
    }
    if !asked.contract_only {
        paths.push(&sql_path);
    }
    new.refuse_what_is_there(&paths)?;
    let facts = if with_contract {
        new.facts(global)?
    } else {
        None
    };
    let mut made = Vec::new();
    if with_contract {
        write(&contract_path, &new.contract(facts.as_ref()), false)?;
        made.push(contract_path.display().to_string());
    }
    if asked.contract_only {
        tell(&made, None, asked.output, out)?;
        return Ok(Exit::Good);
    }
    let sql = match (&facts, with_contract) {
        (Some(_), true) => new.generated(&contract_path)?,
        _ => new.query(with_contract),
    };
    write(&sql_path, &sql, false)?;
    made.push(sql_path.display().to_string());
    let entered = new.enter(with_contract)?;
    tell(&made, Some(&entered), asked.output, out)?;
    Ok(Exit::Good)
}

/// The entry of the configuration.
struct Entered {
    file: String,
    /// Whether it was written into the file.
    written: bool,
    yaml: String,
}

fn tell(
    made: &[String],
    entered: Option<&Entered>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if output == Output::Json {
        let entry =
            entered.map(|it| json!({ "file": it.file, "written": it.written, "yaml": it.yaml }));
        return super::json(out, &json!({ "made": made, "entry": entry }));
    }
    for file in made {
        writeln!(out, "made {file}")?;
    }
    match entered {
        Some(Entered {
            file,
            written: true,
            ..
        }) => {
            writeln!(out, "wrote its entry into {file}")?;
        }
        Some(Entered { file, yaml, .. }) => write!(out, "\nIts entry for {file}:\n\n{yaml}")?,
        None => {}
    }
    Ok(())
}

/// An input as the query and the configuration call it.
struct Read {
    alias: String,
    dataset: String,
}

struct New<'a> {
    project: &'a Project,
    asked: &'a ScaffoldArgs,
    stage: Stage,
    inputs: Vec<Read>,
}

fn inputs(project: &Project, names: &[String]) -> anyhow::Result<Vec<Read>> {
    let mut inputs: Vec<Read> = Vec::new();
    for name in names {
        let id = wiring::dataset(project, name)?;
        let plain = id.name().to_owned();
        let alias = if inputs.iter().any(|input| input.alias == plain) {
            id.to_string().replace('/', "_")
        } else {
            plain
        };
        alias.parse::<Alias>()?;
        inputs.push(Read {
            alias,
            dataset: id.to_string(),
        });
    }
    Ok(inputs)
}

impl New<'_> {
    fn refuse_what_is_there(&self, paths: &[&PathBuf]) -> anyhow::Result<()> {
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return Err(Usage(format!("`{}` is there already", path.display())).into());
        }
        let name = self.asked.name.as_str();
        let listed = self.project.datasets.iter().find(|it| it.id.name() == name);
        match listed {
            Some(dataset) if !self.asked.contract_only => Err(Usage(format!(
                "there is a dataset `{}` already, at {}",
                dataset.id, dataset.place
            ))
            .into()),
            _ => Ok(()),
        }
    }

    /// What the only input is like, if the lake has it.
    fn facts(&self, global: &Global) -> anyhow::Result<Option<Facts>> {
        let [input] = self.inputs.as_slice() else {
            return Ok(None);
        };
        let scratch = wiring::scratch()?;
        let session = Session::open(&Limits::of_machine(), scratch.path())?;
        let there = found(global, &session, &[], &input.dataset, scratch.path());
        let (columns, files): (Columns, Vec<PathBuf>) = match there {
            Ok(there) => there,
            Err(e) if matches!(e.downcast_ref(), Some(comboi_lake::Error::Missing(_))) => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        let input = Input {
            alias: "data",
            columns: &columns,
            files: &files,
        };
        Ok(Some(comboi_engine::measure(
            &session,
            &input,
            Clock::system().now(),
        )?))
    }

    fn contract(&self, facts: Option<&Facts>) -> String {
        let name = &self.asked.name;
        if let Some(facts) = facts {
            let about = About {
                dataset: name.to_string(),
                stage: self.stage,
                owner: self.asked.owner.clone(),
                description: None,
                source: self
                    .inputs
                    .first()
                    .map_or_else(String::new, |it| it.dataset.clone()),
            };
            return comboi_contract::infer(facts, &about);
        }
        let owner = comboi_contract::yaml::text(&self.asked.owner);
        format!(
            "# What `{name}` promises. It is held to this before anybody sees it.\nversion: \"1.0.0\"\ndataset: {name}\nstage: {}\nowner: {owner}\n\nschema:\n  columns:\n    - name: id\n      type: BIGINT\n      nullable: false\n      constraints:\n        - unique: true\n    - name: processed_at\n      type: TIMESTAMP WITH TIME ZONE\n      nullable: false\n\nquality_rules:\n  - name: minimum_rows\n    type: volume\n    min_rows: 1\n    severity: error\n",
            self.stage
        )
    }

    /// A query that runs as it stands, and keeps the contract that was made with it.
    fn query(&self, with_contract: bool) -> String {
        let name = &self.asked.name;
        let from: Vec<String> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(i, input)| {
                if i == 0 {
                    format!("FROM {}\n", input.alias)
                } else {
                    format!("-- JOIN {} USING (id)\n", input.alias)
                }
            })
            .collect();
        let columns = match (with_contract, self.inputs.is_empty()) {
            (true, true) | (false, true) => {
                "    CAST(1 AS BIGINT) AS id,\n    comboi_run_at() AS processed_at\n"
            }
            (true, false) => {
                "    row_number() OVER () AS id,\n    comboi_run_at() AS processed_at\n"
            }
            (false, false) => "    *,\n    comboi_run_at() AS processed_at\n",
        };
        format!(
            "-- {name}: one row for each …\nSELECT\n{columns}{}",
            from.concat()
        )
    }

    fn generated(&self, contract: &Path) -> anyhow::Result<String> {
        let name = self.asked.name.as_str();
        let loaded = wiring::contract(contract)?;
        let input = self.inputs.first().map_or("", |input| input.alias.as_str());
        let generated = comboi_contract::generate(&loaded, name, input);
        comboi_contract::place_in(None, &generated, false).context("a new file refuses nothing")
    }

    /// The entry in the configuration: put there, or printed.
    fn enter(&self, with_contract: bool) -> anyhow::Result<Entered> {
        let name = self.asked.name.to_string();
        let entry = Entry {
            contract: with_contract.then(|| name.clone()),
            name,
            inputs: self
                .inputs
                .iter()
                .map(|input| (input.alias.clone(), input.dataset.clone()))
                .collect(),
        };
        let path = self
            .project
            .transformations_path
            .clone()
            .unwrap_or_else(|| {
                let stem = self.project.config_path.file_stem().unwrap_or_default();
                let file = format!("{}-transformations.yml", stem.to_string_lossy());
                self.project.config_path.with_file_name(file)
            });
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => {
                return Err(e).with_context(|| format!("`{}` could not be read", path.display()));
            }
        };
        let inserted = comboi_contract::insert(&text, self.stage, &entry);
        let inserted = inserted.filter(|_| !self.asked.print);
        if let Some(text) = &inserted {
            write(&path, text, true)?;
        }
        Ok(Entered {
            file: path.display().to_string(),
            written: inserted.is_some(),
            yaml: format!("{}:\n{}", self.stage, entry.yaml(2)),
        })
    }
}
