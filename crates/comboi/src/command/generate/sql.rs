//! `comboi contract sql`: the SQL that keeps a contract.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;
use comboi_contract::Refused;
use comboi_project::Project;

use crate::cli::{Global, SqlArgs};
use crate::exit::{Exit, Usage};
use crate::wiring;

pub(in crate::command) fn generate(
    global: &Global,
    asked: &SqlArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let contract = wiring::contract(&asked.contract)?;
    // Its query may be what the project lacks.
    let project = wiring::partial_project(global).ok();
    let project = project.and_then(|partial| partial.project);
    let name = asked
        .contract
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let existing = match &asked.output {
        Some(output) => read(output)?,
        None => None,
    };
    let input = match &asked.input {
        Some(input) => input.to_string(),
        None => match existing.as_deref().and_then(comboi_contract::input_of) {
            Some(input) => input.to_owned(),
            None => input_of(project.as_ref(), contract.dataset.as_str()),
        },
    };
    let mut generated = comboi_contract::generate(&contract, &name, &input);
    if project.is_some_and(|project| project.privacy.is_some()) {
        generated
            .notes
            .retain(|note| !note.starts_with("pseudonyms need a key"));
    }
    let text = comboi_contract::place_in(existing.as_deref(), &generated, asked.force)
        .map_err(|refused| told(&refused, asked.output.as_deref()))?;
    match &asked.output {
        None => out.write_all(text.as_bytes())?,
        Some(output) if existing.as_deref() == Some(text.as_str()) => {
            writeln!(out, "{} is as its contract says", output.display())?;
        }
        Some(output) => {
            super::write(output, &text, true)?;
            let verb = if existing.is_some() { "wrote" } else { "made" };
            writeln!(out, "{verb} {}; its input is `{input}`", output.display())?;
        }
    }
    if asked.output.is_some() {
        for note in &generated.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    Ok(Exit::Good)
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("`{}` could not be read", path.display())),
    }
}

/// What the project's configuration calls the only input of a dataset; else the name of the dataset without `_clean`, from bronze.
fn input_of(project: Option<&Project>, dataset: &str) -> String {
    let listed = project.and_then(|project| {
        let found = project.datasets.iter().find(|it| it.id.name() == dataset)?;
        Some(found.inputs.first()?.alias.to_string())
    });
    let plain = dataset.trim_end_matches("_clean");
    listed.unwrap_or_else(|| format!("bronze_{plain}"))
}

fn told(refused: &Refused, output: Option<&Path>) -> Usage {
    let output = output
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    Usage(match refused {
        Refused::NoMarks => format!(
            "`{output}` is there already, and nothing in it was generated; `--force` replaces it"
        ),
        Refused::Edited(line) => format!(
            "{output}:{line}: what was generated was edited; move that below the second mark, or throw it away with `--force`"
        ),
    })
}
