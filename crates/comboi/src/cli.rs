//! The command line.

mod contract;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use comboi_project::{LogLevel, Lookback, SourceName, Stage, TableName};

pub(crate) use contract::{BuildArgs, ContractCommand, NewArgs, ScaffoldArgs, SqlArgs};

/// Plans and runs a medallion lake from configuration.
///
/// Exit codes: 0 good; 1 a task failed; 2 the command line or the configuration has mistakes; 3 a contract was
/// broken; 4 a dataset is older than its SLA allows; 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "comboi",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file. Default: `configs/default.yml` or `comboi.yml`, here or in a folder above.
    #[arg(long, short, global = true, env = "COMBOI_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A file of `NAME=value` lines to take as environment variables where they are not set; values are taken as they stand. Default: `.env` in the project's folder, if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// What is logged: error, warn, info, debug or trace. Default: `monitoring.log_level`, else info.
    #[arg(long, global = true, env = "COMBOI_LOG_LEVEL", value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// Log to the standard error too, in this form. Default: text when `--log-level` is given, else only to the log file.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document on the standard output.
    Json,
}

/// How verdicts are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerdictsOutput {
    /// For people.
    Text,
    /// One JSON document on the standard output.
    Json,
    /// The XML of `JUnit` on the standard output: a test for each rule.
    Junit,
    /// Annotations of GitHub's on the standard output: at the line of the contract that was broken.
    Github,
}

impl VerdictsOutput {
    /// How what is no verdict is told.
    pub(crate) fn plain(self) -> Output {
        match self {
            Self::Json => Output::Json,
            Self::Text | Self::Junit | Self::Github => Output::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Warnings and rules of severity `warning` fail the run too (exit code 3); the rows are published all the same.
    Warning,
    /// Rules of severity `error` fail the run.
    Error,
    /// Exit with 0 whatever came of the run, unless it was interrupted.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a small project that works, to start from.
    Init {
        /// Where. It is made if it is not there; files that are there are left alone.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Find every mistake in the project's files.
    Validate {
        /// Write `transformations/schemas.yml`: the columns of tables and datasets, for where the lake can't be read.
        #[arg(long)]
        update_schemas: bool,
        /// What makes the command end with an exit code that is not 0: mistakes with 2, warnings with 3.
        #[arg(long, value_enum, default_value = "error")]
        fail_on: FailOn,
        /// How the mistakes are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Show what a run would do. Reads only.
    Plan {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Which of the things that a run would fail for make the command end with the exit code of that run.
        #[arg(long, value_enum, default_value = "error")]
        fail_on: FailOn,
        /// How the plan is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Extract what is new, build what depends on it, hold it to its contracts, publish it.
    Run {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Build datasets even when nothing that shapes them has changed.
        #[arg(long)]
        rebuild: bool,
        #[command(flatten)]
        running: RunArgs,
    },
    /// Take up what the last run left undone: tasks that failed, were stopped, or had no chance.
    Retry {
        #[command(flatten)]
        running: RunArgs,
    },
    /// Hold data to a contract without publishing anything.
    ValidateContract {
        /// The contract's file, or a document of the Open Data Contract Standard.
        #[arg(long, value_name = "FILE")]
        contract: PathBuf,
        /// A Parquet, CSV or JSON file, a folder of such files, a Delta table's folder, or the name of a dataset in the lake.
        #[arg(long, value_name = "DATA")]
        data: String,
        /// Which broken rules make the command end with exit code 3.
        #[arg(long, value_enum, default_value = "error")]
        fail_on: FailOn,
        /// Of a contract that is a document of the Open Data Contract Standard with several objects: which.
        #[arg(long, value_name = "NAME")]
        object: Option<String>,
        /// How the verdicts are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: VerdictsOutput,
    },
    /// Write contracts and the SQL that keeps them.
    Contract {
        /// What is done.
        #[command(subcommand)]
        command: ContractCommand,
    },
    /// Make a contract from data or a table, SQL from a contract, or check one: the options of `build.py`.
    Build(Box<BuildArgs>),
    /// Begin a transformation: its query, its contract, its entry in the configuration.
    Scaffold(ScaffoldArgs),
    /// Forget how far tables have been read, so that the next run reads everything again and replaces their rows.
    ResetCheckpoint {
        /// The stage that has checkpoints.
        #[arg(long, default_value = "bronze")]
        stage: Stage,
        /// The source.
        #[arg(long)]
        source: SourceName,
        /// One table of it. Default: all.
        #[arg(long)]
        table: Option<TableName>,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Connect to the databases of the sources and say who answers.
    TestConnection {
        /// One source. Default: all that are databases.
        #[arg(long)]
        source: Option<SourceName>,
        /// How the answers are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List what a database has to offer: tables, columns, keys, a column to find new rows by.
    Discover {
        /// The source.
        #[arg(long)]
        source: SourceName,
        /// Print the tables as they may stand in the configuration.
        #[arg(long)]
        yaml: bool,
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Read a range of a table of a database again. The checkpoint stays where it is.
    Backfill {
        /// The source.
        #[arg(long)]
        source: SourceName,
        /// The table.
        #[arg(long)]
        table: TableName,
        /// From this value of the incremental column on (itself too).
        #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
        from: String,
        /// Up to this value (itself not).
        #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
        to: String,
        /// Read and commit so much at a time: `7d`, `12h`, or a number. Default: all at once.
        #[arg(long, value_name = "SIZE")]
        chunk: Option<Lookback>,
        /// How the result is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Compare a table of a database with the lake, and name the ranges that differ. Reads only.
    Reconcile {
        /// The source.
        #[arg(long)]
        source: SourceName,
        /// The table.
        #[arg(long)]
        table: TableName,
        /// Into about how many ranges the rows are put, by key or incremental column.
        #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        ranges: u16,
        /// How the result is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List the files that the project consists of, and what it names that is not a part of it. Environment variables need not be set.
    Files {
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List the project's datasets and what the lake has of them.
    Ls {
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Show rows of a dataset.
    Show {
        /// The dataset: `customers_clean`, `silver/customers_clean`, `bronze/shop/orders`.
        dataset: String,
        /// How it was at this version. Default: the current one.
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// How many rows at most.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// How the rows are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List the versions of a dataset, newest first.
    History {
        /// The dataset.
        dataset: String,
        /// How many versions at most.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Make an earlier version of a dataset the current one. For bronze, the checkpoint goes back with the rows.
    Restore {
        /// The dataset.
        dataset: String,
        /// The version.
        #[arg(long, value_name = "N")]
        version: u64,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Delete files that no version worth keeping needs.
    Vacuum {
        /// The dataset. Default: all.
        dataset: Option<String>,
        /// Keep every version that is younger: `7d`, `12h`, `30m`.
        #[arg(long, default_value = "7d", value_parser = crate::text::duration, value_name = "AGE")]
        keep: std::time::Duration,
        /// Say what would be deleted, delete nothing.
        #[arg(long)]
        dry_run: bool,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Delete a dataset that is no longer in the project: all its versions and everything beside it, for good.
    Drop {
        /// The dataset.
        dataset: String,
        /// Delete it. Without this option the command only says what would be deleted.
        #[arg(long)]
        yes: bool,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Give a dataset in the lake the name that it has in the project now, with all its versions and its checkpoint.
    Rename {
        /// The dataset as the lake has it.
        old: String,
        /// The dataset as the project has it.
        new: String,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Remove the rows that are past their age (`data_retention`), and the files of the versions that still have them. Says what would go, unless `--apply`.
    Retention {
        /// The dataset. Default: all.
        dataset: Option<String>,
        /// Remove it.
        #[arg(long)]
        apply: bool,
        /// Keep the files of versions that were current so lately, for whoever is reading them; the next `--apply` deletes them.
        #[arg(long, default_value = "0s", value_parser = crate::text::duration, value_name = "AGE", requires = "apply")]
        keep: std::time::Duration,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Rows that were set aside: list, show, replay or purge them.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Check the lake and the record of its runs. Writes nothing, reads no rows.
    Verify {
        /// Read every file of every version that is kept and compare its digest, to find bit rot.
        #[arg(long)]
        deep: bool,
        /// How the findings are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Mend what `verify` finds and can be mended, and tell the rest.
    Repair {
        /// How the rest is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Look at everything that the project needs, one by one: configuration, lake, sources, queue, host, machine.
    Doctor {
        /// How the findings are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Begin a run on Azure: send its first message to the queue.
    Trigger {
        /// `all`, or one stage.
        #[arg(default_value = "all", value_parser = ["all", "bronze", "silver", "gold"])]
        stage: String,
        /// Wait until the run has ended, and end as it did.
        #[arg(long)]
        wait: bool,
        /// How the run is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List the last runs, newest first.
    Runs {
        /// How many at most.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Show how far a run is, or how it ended.
    Status {
        /// The run's number.
        run: u32,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Answer the Azure Functions host: its timer, its queue.
    Serve {
        /// On this port of this machine. Default: what the host says by `FUNCTIONS_CUSTOMHANDLER_PORT`.
        #[arg(long)]
        port: Option<u16>,
    },
    /// Look into the model by which a dataset's rows are compared. Reads only, but for `train` and `chart`, which write a file each.
    Linkage {
        #[command(subcommand)]
        command: LinkageCommand,
    },
    /// Print the JSON Schema of a kind of file, for editors.
    Schema {
        /// Which file.
        #[arg(value_parser = ["config", "transformations", "contract"])]
        of: String,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinkageCommand {
    /// Train the model anew on the rows as they are, and save it as Splink does.
    Train {
        /// The dataset.
        dataset: String,
        /// The file to save it to. Default: `dedupe.save_model`; without one it is only shown.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// How the model is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Say why two rows are one thing or not, step by step. Shows their values.
    Explain {
        /// The dataset.
        dataset: String,
        /// The id of a row, as `dedupe.unique_id` has it.
        id: String,
        /// The id of another.
        other: String,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Measure how good pairs and clusters are, by what somebody knows of the rows.
    Evaluate {
        /// The dataset.
        dataset: String,
        /// A column of the query's result that says which thing a row is; or a CSV or Parquet file with the id and such a column, or with
        /// `<id>_l`, `<id>_r` and `match`.
        #[arg(long, value_name = "COLUMN|FILE")]
        labels: String,
        /// How the figures are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Draw the model, its pairs and clusters as one HTML page that needs nothing else.
    Chart {
        /// The dataset.
        dataset: String,
        /// The file to write.
        #[arg(long, value_name = "FILE", default_value = "linkage.html")]
        to: PathBuf,
    },
}

impl Command {
    /// How the command's result is told.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Validate { output, .. }
            | Self::Plan { output, .. }
            | Self::Files { output }
            | Self::Ls { output }
            | Self::TestConnection { output, .. }
            | Self::Discover { output, .. }
            | Self::Backfill { output, .. }
            | Self::Reconcile { output, .. }
            | Self::Show { output, .. }
            | Self::Trigger { output, .. }
            | Self::Doctor { output }
            | Self::Verify { output, .. }
            | Self::Repair { output }
            | Self::Retention { output, .. }
            | Self::Drop { output, .. }
            | Self::Rename { output, .. }
            | Self::Runs { output, .. }
            | Self::Init { output, .. }
            | Self::ResetCheckpoint { output, .. }
            | Self::Restore { output, .. }
            | Self::Vacuum { output, .. }
            | Self::Status { output, .. }
            | Self::History { output, .. } => *output,
            Self::Contract { command } => command.output(),
            Self::Linkage { command } => command.output(),
            Self::Run { running, .. }
            | Self::Retry { running }
            | Self::Quarantine(QuarantineCommand::Replay { running, .. }) => running.output.plain(),
            Self::Quarantine(
                QuarantineCommand::Ls { output }
                | QuarantineCommand::Show { output, .. }
                | QuarantineCommand::Purge { output, .. },
            ) => *output,
            Self::ValidateContract { output, .. } => output.plain(),
            Self::Scaffold(asked) => asked.output,
            Self::Build(_)
            | Self::Serve { .. }
            | Self::Schema { .. }
            | Self::Completions { .. } => Output::Text,
        }
    }
}

/// What is done with rows that were set aside.
#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List the datasets that have rows aside, and the rules that these broke.
    Ls {
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// Show rows that are aside for a dataset. What tells about a person is masked.
    Show {
        /// The dataset.
        dataset: String,
        /// How many rows at most.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// How the rows are told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// After a fix: build a dataset again, or read a table again, and what depends on it. Each row ends in the dataset or aside.
    Replay {
        /// The dataset.
        dataset: String,
        #[command(flatten)]
        running: RunArgs,
    },
    /// Forget the rows that are aside for a dataset. `comboi vacuum` deletes their files when no version worth keeping needs them.
    Purge {
        /// The dataset.
        dataset: String,
        /// How it is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
}

/// What a plan is made over.
#[derive(Clone, Debug, Args)]
pub(crate) struct SelectionArgs {
    /// `all`, or one stage.
    #[arg(default_value = "all", value_parser = ["all", "bronze", "silver", "gold"])]
    pub(crate) stage: String,
    /// Only these: names with `*`, `stage:…`, `source:…`, `tag:…`; `+x` with what it reads, `x+` with what reads it; comma for and, space for or.
    #[arg(long, short, value_name = "EXPRESSION")]
    pub(crate) select: Option<String>,
    /// Not these.
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) exclude: Option<String>,
}

/// How a run goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// How many tasks at once; they share the memory limit. Default: as many as processors, 4 at most.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Which broken rules make the run fail.
    #[arg(long, value_enum, default_value = "error")]
    pub(crate) fail_on: FailOn,
    /// How the report is told.
    #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
    pub(crate) output: VerdictsOutput,
}
