//! `comboi contract import` and `export`: contracts of the Open Data Contract Standard, and tests of dbt.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comboi_contract::odcs::Imported;
use comboi_contract::{dbt, odcs, yaml};
use comboi_project::{Columns, Contract, Place, Problems, SqlType, yaml_as_json};
use serde_json::Value as Json;

use crate::exit::{Exit, Usage};
use crate::wiring;

use super::generate::{not_there, write};

pub(crate) fn import(
    file: &Path,
    object: Option<&str>,
    output: Option<&Path>,
    force: bool,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    if let Some(output) = output.filter(|_| !force) {
        not_there(output)?;
    }
    let document = yaml_as_json(file)?;
    let imported = imported(file, &document, object)?;
    let mut contract = imported.contract.clone();
    if odcs::is_odcs(&document) {
        contract["odcs"] = document;
    }
    let mut text = format!("# Imported from {}.\n", shown(file));
    for note in &imported.notes {
        text.push_str(&format!("# {}\n", note.replace('\n', " ")));
    }
    if !imported.loose.is_empty() {
        text.push_str(&format!(
            "# The document leaves the types of these columns open, so they are the usual ones of their kind: {}\n",
            imported.loose.join(", ")
        ));
    }
    text.push_str(&yaml::document(&contract));
    held(file, &text)?;
    match output {
        None => out.write_all(text.as_bytes())?,
        Some(output) => {
            write(output, &text, force)?;
            writeln!(out, "made {}", output.display())?;
            for note in &imported.notes {
                writeln!(out, "note: {note}")?;
            }
        }
    }
    Ok(Exit::Good)
}

pub(crate) fn export(
    contract: &Path,
    output: Option<&Path>,
    force: bool,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    if let Some(output) = output.filter(|_| !force) {
        not_there(output)?;
    }
    // Its mistakes would become the document's.
    wiring::contract(contract)?;
    let document = odcs::export(&yaml_as_json(contract)?);
    let is_json = output.is_some_and(|path| path.extension().is_some_and(|it| it == "json"));
    let text = if is_json {
        serde_json::to_string_pretty(&document)? + "\n"
    } else {
        yaml::document(&document)
    };
    match output {
        None => out.write_all(text.as_bytes())?,
        Some(output) => {
            write(output, &text, force)?;
            writeln!(out, "made {}", output.display())?;
        }
    }
    Ok(Exit::Good)
}

/// A contract, whatever form its file has.
pub(super) struct Read {
    pub(super) contract: Arc<Contract>,
    /// Columns whose types a document leaves open.
    pub(super) loose: Vec<String>,
    /// What of a document is not checked, and why.
    pub(super) notes: Vec<String>,
    document: Option<PathBuf>,
}

impl Read {
    pub(super) fn new(path: &Path, object: Option<&str>) -> anyhow::Result<Self> {
        let document = yaml_as_json(path).ok();
        let foreign = document
            .filter(|it| odcs::is_odcs(it) || it.get("dataset").is_none() && dbt::is_dbt(it));
        let Some(document) = foreign else {
            return Ok(Self {
                contract: wiring::contract(path)?,
                loose: Vec::new(),
                notes: Vec::new(),
                document: None,
            });
        };
        let imported = imported(path, &document, object)?;
        Ok(Self {
            contract: held(path, &yaml::document(&imported.contract))?,
            loose: imported.loose,
            notes: imported.notes,
            document: Some(path.to_owned()),
        })
    }

    /// Where a person finds what is at this place of the contract: of a document only which one it is.
    pub(super) fn place(&self, place: &Place) -> Place {
        self.document
            .as_ref()
            .map_or_else(|| place.clone(), Place::file)
    }
}

/// A contract that takes any type of its kind where the document leaves the type open.
pub(super) fn fitted(
    contract: &Arc<Contract>,
    loose: &[String],
    columns: &Columns,
) -> Arc<Contract> {
    if loose.is_empty() {
        return Arc::clone(contract);
    }
    let mut fitted = Contract::clone(contract);
    for column in &mut fitted.schema.value.columns {
        let column = &mut column.value;
        let found = columns.get(&column.name).map(|it| &it.sql_type);
        if let Some(found) = found
            && loose.contains(&column.name.value)
            && alike(&column.sql_type, found)
        {
            column.sql_type.value = found.clone();
        }
    }
    Arc::new(fitted)
}

/// Whether two types are one logical type.
fn alike(a: &SqlType, b: &SqlType) -> bool {
    let kind = |it: &SqlType| {
        [
            it.is_integer(),
            it.is_number() && !it.is_integer(),
            it.is_moment() && *it != SqlType::Date,
            it.is_text(),
            it.is_nested(),
            *it == SqlType::Date,
        ]
    };
    // A number may be kept as a whole one.
    kind(a) == kind(b) && kind(a).contains(&true)
        || a.is_number() && !a.is_integer() && b.is_integer()
}

fn imported(file: &Path, document: &Json, object: Option<&str>) -> anyhow::Result<Imported> {
    let found = if odcs::is_odcs(document) || !dbt::is_dbt(document) {
        odcs::import(document, object)
    } else {
        dbt::import(document, object)
    };
    found.map_err(|why| Usage(format!("{}: {why}", file.display())).into())
}

/// The text of a contract that was made of a document: its mistakes are the document's.
fn held(document: &Path, text: &str) -> anyhow::Result<Arc<Contract>> {
    let folder = wiring::scratch()?;
    let path = folder.path().join("contract.yml");
    std::fs::write(&path, text)?;
    wiring::contract(&path).map_err(|e| match e.downcast::<Problems>() {
        Ok(Problems(mut problems)) => {
            for problem in &mut problems {
                problem.place = Place::file(document);
            }
            Problems(problems).into()
        }
        Err(e) => e,
    })
}

fn shown(file: &Path) -> String {
    file.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
