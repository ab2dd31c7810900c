//! `comboi`: plans and runs a medallion lake from configuration.

mod cli;
mod cloud;
mod command;
mod env_file;
mod exit;
mod logging;
mod paint;
mod progress;
mod report;
mod scratch;
mod serve;
mod text;
mod wiring;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() {
                exit::Exit::Usage
            } else {
                exit::Exit::Good
            };
            drop(e.print());
            return code.into();
        }
    };
    let mut out = std::io::stdout();
    let output = cli.command.output();
    let code = match command::dispatch(cli, &mut out) {
        Ok(code) => code,
        // A reader such as `head` has seen enough.
        Err(e) if is_broken_pipe(&e) => exit::Exit::Good,
        Err(e) => {
            // Whoever reads JSON gets JSON, whatever happens.
            if output == cli::Output::Json {
                drop(command::json(&mut out, &exit::as_json(&e)));
            }
            drop(writeln!(std::io::stderr(), "{}", exit::told(&e)));
            exit::of_error(&e)
        }
    };
    drop(out.flush());
    scratch::remove();
    code.into()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
