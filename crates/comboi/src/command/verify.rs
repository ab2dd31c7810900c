//! `comboi verify` and `comboi repair`.

use std::io::Write;

use comboi_run::Verified;

use crate::cli::{Global, Output};
use crate::exit::Exit;
use crate::{logging, text, wiring};

pub(crate) fn verify(
    global: &Global,
    deep: bool,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let runner = wiring::quiet_runner(wiring::project(global)?)?;
    let verified = match deep {
        true => wiring::block_on(runner.verify_in_depth())?,
        false => wiring::block_on(runner.verify())?,
    };
    tell(&verified, output, out)?;
    let mendable = verified
        .flaws
        .iter()
        .filter(|flaw| flaw.can_be_mended)
        .count();
    if output == Output::Text && mendable > 0 {
        writeln!(out, "`comboi repair` mends {mendable} of them.")?;
    }
    Ok(code(&verified))
}

pub(crate) fn repair(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    logging::start_for(global, &project)?;
    let runner = wiring::quiet_runner(project)?;
    let left = wiring::block_on(runner.repair())?;
    tell(&left, output, out)?;
    Ok(code(&left))
}

fn code(verified: &Verified) -> Exit {
    if verified.flaws.is_empty() {
        Exit::Good
    } else {
        Exit::Failed
    }
}

fn tell(verified: &Verified, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    if output == Output::Json {
        return super::json(out, verified);
    }
    for flaw in &verified.flaws {
        writeln!(out, "{}: {}", flaw.of, flaw.what)?;
    }
    let told = [
        text::counted(verified.datasets as u64, "dataset"),
        text::counted(verified.files as u64, "file"),
        text::counted(verified.runs as u64, "run"),
    ];
    let found = match verified.flaws.len() {
        0 => "all sound".to_owned(),
        n => format!("{} left", text::counted(n as u64, "flaw")),
    };
    writeln!(out, "{}: {found}.", told.join(", "))?;
    if !verified.not_in_project.is_empty() {
        let names = verified.not_in_project.iter();
        let names: Vec<String> = names.map(ToString::to_string).collect();
        writeln!(
            out,
            "In the lake, not in the project: {}.",
            names.join(", ")
        )?;
    }
    if let Some(digests) = verified.digests {
        let checked = text::counted(digests.checked as u64, "file");
        writeln!(
            out,
            "Digests of {checked} checked, of all kept versions; {} without a digest not checked.",
            digests.not_checked
        )?;
    }
    Ok(())
}
