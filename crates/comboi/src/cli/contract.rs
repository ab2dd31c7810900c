//! Words of the commands that make contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comboi_project::{Alias, DatasetName, Stage};

use super::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Write a contract that data keeps: measured from a file, a dataset, or a table of a database.
    New(Box<NewArgs>),
    /// Write the DuckDB SQL that keeps a contract, or write its generated part anew.
    Sql(SqlArgs),
    /// Take a contract from the Open Data Contract Standard (3.0 and 3.1) or from dbt's `schema.yml`.
    Import {
        /// The document.
        file: PathBuf,
        /// Which of its objects or models, where there are several.
        #[arg(long, value_name = "NAME")]
        object: Option<String>,
        /// The file to write. Default: the contract is printed.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Write a contract as a document of the Open Data Contract Standard, version 3.1.0.
    Export {
        /// The contract's file.
        contract: PathBuf,
        /// The file to write, as YAML, or as JSON if it ends in `.json`. Default: the document is printed.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Tell how two versions of a contract differ, whom that breaks, and which version it demands. Ends with exit code 3 if the version
    /// does not say so.
    Diff {
        /// A contract's file, or a dataset of the lake: what its published version promised. With nothing else: the new file, compared with
        /// the lake.
        old: String,
        /// A contract's file, or a dataset of the lake.
        new: Option<String>,
        /// How the difference is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
    /// List the versions of a contract that were published with a dataset, newest first.
    Versions {
        /// The dataset.
        dataset: String,
        /// How the list is told.
        #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
        output: Output,
    },
}

impl ContractCommand {
    /// How the command's result is told.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Diff { output, .. } | Self::Versions { output, .. } => *output,
            Self::New(_) | Self::Sql(_) | Self::Import { .. } | Self::Export { .. } => Output::Text,
        }
    }
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
    /// Write the DuckDB SQL that keeps a contract, or write its generated part anew.
    #[arg(long, requires = "contract", conflicts_with_all = ["connection", "source", "validate_contract"])]
    pub(crate) generate_sql: bool,
    /// With `--generate-sql`: what the query calls its input. Default: as it is now, else as the project's configuration says.
    #[arg(long, value_name = "ALIAS")]
    pub(crate) input: Option<Alias>,
    /// Find the mistakes in a contract; with `--source`, hold that data to it.
    #[arg(long, requires = "contract", conflicts_with = "connection")]
    pub(crate) validate_contract: bool,
    /// The contract's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: Option<PathBuf>,
}

/// What SQL is made of, and where it goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct SqlArgs {
    /// The contract's file.
    #[arg(long, value_name = "FILE")]
    pub(crate) contract: PathBuf,
    /// The file to write; of a file that is there, only what was generated is replaced. Default: the SQL is printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What the query calls its input. Default: as it is now, else as the project's configuration says.
    #[arg(long, value_name = "ALIAS")]
    pub(crate) input: Option<Alias>,
    /// Replace a file that was written by hand, or a generated part that was edited.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What a new transformation is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScaffoldArgs {
    /// Its name.
    #[arg(long)]
    pub(crate) name: DatasetName,
    /// How it is built.
    #[arg(long = "type", default_value = "sql", value_parser = ["sql"])]
    pub(crate) kind: String,
    /// The stage that it belongs to.
    #[arg(long, value_parser = ["silver", "gold"])]
    pub(crate) stage: String,
    /// With a contract.
    #[arg(long)]
    pub(crate) contract: bool,
    /// Only the contract.
    #[arg(long, conflicts_with = "contract")]
    pub(crate) contract_only: bool,
    /// A dataset that it reads: `shop/orders`, `orders_clean`. May be given several times; with `--contract` and one that is in the lake, contract
    /// and query are made from it.
    #[arg(long, value_name = "DATASET")]
    pub(crate) input: Vec<String>,
    /// Who answers for it.
    #[arg(long, default_value = "data-team")]
    pub(crate) owner: String,
    /// Print the entry for the configuration, do not write it.
    #[arg(long)]
    pub(crate) print: bool,
    /// How it is told.
    #[arg(long = "format", alias = "output", value_enum, default_value = "text")]
    pub(crate) output: Output,
}
