//! Words of the commands that make contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comboi_project::{DatasetName, Stage};

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Write a contract that data keeps: measured from a file, a dataset, or a table of a database.
    New(Box<NewArgs>),
}

/// What a contract is made from, and what data does not say about itself.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewArgs {
    /// A Parquet, CSV or JSON file, a Delta table's folder, or the name of a dataset in the lake.
    #[arg(long, value_name = "DATA", conflicts_with_all = ["connection", "table"])]
    pub(crate) source: Option<String>,
    /// A source of the project, or a connection string of a database: `postgresql://…`, `host=… dbname=…`, `Server=…;Database=…`.
    #[arg(long, value_name = "CONNECTION", requires = "table")]
    pub(crate) connection: Option<String>,
    /// The table or view of the database: `dbo.transactions`.
    #[arg(long, value_name = "TABLE", requires = "connection")]
    pub(crate) table: Option<String>,
    /// How many rows of a database's table are looked at, at most.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) sample_rows: u64,
    /// The file to write. Default: the contract is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// The dataset's name. Default: the output's, else the source's.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<DatasetName>,
    /// Where the dataset lives.
    #[arg(long, default_value = "silver")]
    pub(crate) stage: Stage,
    /// Who answers for it.
    #[arg(long, default_value = "data-team")]
    pub(crate) owner: String,
    /// What it is.
    #[arg(long)]
    pub(crate) description: Option<String>,
}

/// `build.py` in one command.
#[derive(Clone, Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) new: NewArgs,
    /// Find the mistakes in a contract; with `--source`, hold that data to it.
    #[arg(long, requires = "contract", conflicts_with = "connection")]
    pub(crate) validate_contract: bool,
    /// The contract's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<PathBuf>,
}
