//! One module for each group of commands; all write what was asked for to the writer they are given.

mod build;
mod checkpoint;
mod contract;
mod database;
mod doctor;
mod evolution;
mod exchange;
mod files;
mod generate;
mod going;
mod init;
mod linkage;
mod look;
mod plan;
mod quarantine;
mod remote;
mod retention;
mod run;
mod scaffold;
mod validate;
mod verify;
mod versions;

use std::io::Write;

use clap::CommandFactory as _;

use comboi_project::LogLevel;

use crate::cli::{Cli, Command, QuarantineCommand};
use crate::exit::Exit;
use crate::logging;

pub(crate) use validate::hold_sql;

/// Does what the command line asks for.
pub(crate) fn dispatch(cli: Cli, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let global = cli.global;
    // Commands that change the lake log to the project's file as well, once they know the project.
    let changes = matches!(
        cli.command,
        Command::Run { .. }
            | Command::Retry { .. }
            | Command::ResetCheckpoint { .. }
            | Command::Backfill { .. }
            | Command::Restore { .. }
            | Command::Vacuum { .. }
            | Command::Repair { .. }
            | Command::Retention { .. }
            | Command::Drop { .. }
            | Command::Rename { .. }
            | Command::Quarantine(
                QuarantineCommand::Replay { .. } | QuarantineCommand::Purge { .. }
            )
    );
    if let Command::Serve { port } = cli.command {
        return crate::serve::serve(&global, port);
    }
    if !changes {
        logging::start(&global, LogLevel::Info, None)?;
    }
    match cli.command {
        Command::Init { folder, output } => init::init(&folder, output, out),
        Command::Validate {
            update_schemas,
            fail_on,
            output,
        } => validate::validate(&global, update_schemas, fail_on, output, out),
        Command::Plan {
            selection,
            fail_on,
            output,
        } => plan::plan(&global, &selection, fail_on, output, out),
        Command::Run {
            selection,
            rebuild,
            running,
        } => run::run(&global, &selection, rebuild, &running, out),
        Command::Retry { running } => run::retry(&global, &running, out),
        Command::ValidateContract {
            contract,
            data,
            fail_on,
            object,
            output,
        } => {
            let told = (fail_on, output);
            contract::validate_contract(&global, &contract, object.as_deref(), &data, told, out)
        }
        Command::Contract { command } => generate::contract(&global, command, out),
        Command::Build(asked) => build::build(&global, asked, out),
        Command::Scaffold(asked) => scaffold::scaffold(&global, &asked, out),
        Command::ResetCheckpoint {
            stage,
            source,
            table,
            output,
        } => checkpoint::reset(&global, stage, &source, table.as_ref(), output, out),
        Command::TestConnection { source, output } => {
            database::test_connection(&global, source.as_ref(), output, out)
        }
        Command::Discover {
            source,
            yaml,
            output,
        } => database::discover(&global, &source, yaml, output, out),
        Command::Backfill {
            source,
            table,
            from,
            to,
            chunk,
            output,
        } => {
            let again = database::Again {
                source: &source,
                table: &table,
                from: &from,
                to: &to,
                chunk: chunk.as_ref(),
            };
            database::backfill(&global, &again, output, out)
        }
        Command::Reconcile {
            source,
            table,
            ranges,
            output,
        } => database::reconcile(&global, &source, &table, ranges, output, out),
        Command::Files { output } => files::files(&global, output, out),
        Command::Ls { output } => look::ls(&global, output, out),
        Command::Show {
            dataset,
            version,
            limit,
            output,
        } => look::show(&global, &dataset, version, limit, output, out),
        Command::History {
            dataset,
            limit,
            output,
        } => versions::history(&global, &dataset, limit, output, out),
        Command::Restore {
            dataset,
            version,
            output,
        } => versions::restore(&global, &dataset, version, output, out),
        Command::Vacuum {
            dataset,
            keep,
            dry_run,
            output,
        } => versions::vacuum(&global, dataset.as_deref(), keep, dry_run, output, out),
        Command::Retention {
            dataset,
            apply,
            keep,
            output,
        } => {
            let apply = apply.then_some(keep);
            retention::retention(&global, dataset.as_deref(), apply, output, out)
        }
        Command::Drop {
            dataset,
            yes,
            output,
        } => going::drop(&global, &dataset, yes, output, out),
        Command::Rename { old, new, output } => going::rename(&global, &old, &new, output, out),
        Command::Serve { .. } => Ok(Exit::Good),
        Command::Quarantine(command) => quarantine::quarantine(&global, command, out),
        Command::Verify { deep, output } => verify::verify(&global, deep, output, out),
        Command::Repair { output } => verify::repair(&global, output, out),
        Command::Doctor { output } => doctor::doctor(&global, output, out),
        Command::Trigger {
            stage,
            wait,
            output,
        } => remote::trigger(&global, &stage, wait, output, out),
        Command::Runs { limit, output } => remote::runs(&global, limit, output, out),
        Command::Status { run, output } => remote::status_of(&global, run, output, out),
        Command::Linkage { command } => linkage::linkage(&global, &command, out),
        Command::Schema { of } => schema(&of, out),
        Command::Completions { shell } => {
            // Into memory first: the generator panics when it can't write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "comboi", &mut script);
            out.write_all(&script)?;
            Ok(Exit::Good)
        }
    }
}

fn schema(of: &str, out: &mut dyn Write) -> anyhow::Result<Exit> {
    for (name, schema) in comboi_project::schemas() {
        if name == of {
            json(out, &schema)?;
        }
    }
    Ok(Exit::Good)
}

/// Writes one JSON document.
pub(crate) fn json(out: &mut dyn Write, value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(out, "{text}")?;
    Ok(())
}
