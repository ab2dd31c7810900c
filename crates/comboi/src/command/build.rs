//! `comboi build`: what `build.py` did, by its own options.

use std::io::Write;

use crate::cli::{BuildArgs, FailOn, Global, SqlArgs, VerdictsOutput};
use crate::exit::{Exit, Usage};
use crate::{text, wiring};

use super::{contract, generate};

pub(crate) fn build(
    global: &Global,
    asked: Box<BuildArgs>,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let BuildArgs {
        new,
        generate_sql,
        input,
        validate_contract,
        contract: file,
    } = *asked;
    match file {
        Some(contract) if generate_sql => {
            let asked = SqlArgs {
                contract,
                output: new.output,
                input,
                force: new.force,
            };
            generate::sql::generate(global, &asked, out)
        }
        Some(file) if validate_contract => match &new.source {
            Some(data) => {
                let told = (FailOn::Error, VerdictsOutput::Text);
                contract::validate_contract(global, &file, None, data, told, out)
            }
            None => {
                let contract = wiring::contract(&file)?;
                writeln!(
                    out,
                    "no mistakes in `{}`: {}, {}",
                    file.display(),
                    text::counted(contract.schema.columns.len() as u64, "column"),
                    text::counted(contract.rules().len() as u64, "rule")
                )?;
                Ok(Exit::Good)
            }
        },
        Some(_) => Err(Usage(
            "`--contract` is for `--generate-sql` and `--validate-contract`: say what to do with it"
                .to_owned(),
        )
        .into()),
        None => generate::new(global, &new, out),
    }
}
