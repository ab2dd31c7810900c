//! `configs/<env>.yml`: where data comes from, where it goes and how hard the machine may work.

mod check;
mod check_database;
mod database;
mod files;
mod template;
mod units;
mod vault;

use std::path::PathBuf;

use crate::read::{Located, choice, record, tagged};
use crate::{PipelineName, Setting, SourceName, Stage, TableName};

pub(crate) use check::check;
pub use database::{
    Authentication, Connection, DatabaseIncremental, DatabaseSource, DatabaseTable, SslMode,
};
pub use files::{
    BadRowPolicy, ChangedFilePolicy, CsvOptions, FileFormat, FilesSource, FilesTable, Incremental,
    NullPolicy, Policies, SchemaChangePolicy, encoding,
};
pub use template::{BadTemplate, PathTemplate};
pub use units::{BadByteSize, BadLookback, BadSpan, ByteSize, Lookback, Quantity, Span};
pub use vault::{BadVaultUrl, VaultUrl};

record! {
    /// The configuration of a pipeline.
    pub struct Config, "the configuration" {
        /// The pipeline's name; else the file's.
        pub name: Option<Located<PipelineName>>,
        /// Where secrets come from.
        pub key_vault: Option<KeyVault>,
        /// How personal data is protected.
        pub privacy: Option<Pseudonyms>,
        /// The queue that starts stages when comboi runs as a service.
        pub queue: Option<Queue>,
        /// The transformations file, below the project's folder; else `<this file>-transformations.yml` beside this
        /// file, else `transformations.yml` beside it.
        pub transformations: Option<Located<PathBuf>>,
        /// Where data comes from.
        pub sources: Vec<Source> = Vec::new(),
        /// Where data goes.
        pub stages: Stages = Stages::default(),
        /// What is written about runs.
        pub monitoring: Monitoring = Monitoring::default(),
        /// How hard the machine may work.
        pub engine: EngineSettings = EngineSettings::default(),
    }
}

/// Everything that may hold a secret.
pub(crate) fn settings<'a>(
    sources: &'a [Source],
    stages: &'a Stages,
    queue: Option<&'a Queue>,
    privacy: Option<&'a Pseudonyms>,
) -> Vec<&'a Setting> {
    let mut settings = Vec::new();
    for source in sources {
        if let Source::Postgres(database) | Source::AzureSql(database) = source {
            let it = &database.connection.value;
            let parts = [
                &it.dsn,
                &it.conn_str,
                &it.host,
                &it.database,
                &it.user,
                &it.password,
            ];
            settings.extend(parts.into_iter().flatten());
        }
    }
    for stage in Stage::ALL {
        if let Some(lake) = &stages.get(stage).data_lake {
            settings.extend([&lake.account_name, &lake.file_system]);
            settings.extend([&lake.credential, &lake.endpoint].into_iter().flatten());
        }
    }
    settings.extend(privacy.map(|privacy| &privacy.key));
    if let Some(queue) = queue {
        let parts = [&queue.connection_string, &queue.account_name];
        settings.extend(parts.into_iter().flatten());
    }
    settings
}

record! {
    /// How personal data is protected.
    pub struct Pseudonyms, "privacy" {
        /// The key of pseudonyms: `{{keyvault:pseudonym-key}}` or `{{env:NAME}}`, never the text itself. All datasets have the same, so that
        /// the same person has the same pseudonym everywhere.
        pub key: Setting,
    }
}

record! {
    /// An Azure Key Vault.
    pub struct KeyVault, "the key vault" {
        /// Such as `https://my-vault.vault.azure.net/`.
        pub vault_url: VaultUrl,
    }
}

record! {
    /// An Azure Storage queue.
    pub struct Queue, "the queue" {
        /// Its name.
        pub name: String = "comboi-tasks".to_owned(),
        /// Its connection string; else the identity of the machine is used with `account_name`.
        pub connection_string: Option<Setting>,
        /// The storage account that has it.
        pub account_name: Option<Setting>,
        /// One message for each stage, or one for each task so that many instances share a stage.
        pub fan_out: FanOut = FanOut::Stage,
    }
}

choice! {
    /// How much work one message of the queue stands for.
    pub enum FanOut {
        /// One message for each stage.
        Stage = "stage",
        /// One message for each task.
        Task = "task",
    }
}

tagged! {
    /// Where data comes from.
    pub enum Source, "a source", by "type" {
        /// Files in a folder.
        Files(FilesSource) = "files",
        /// A PostgreSQL database.
        Postgres(DatabaseSource) = "postgres",
        /// An Azure SQL or SQL Server database.
        AzureSql(DatabaseSource) = "azure_sql",
    }
}

impl Source {
    /// Its name.
    pub fn name(&self) -> &Located<SourceName> {
        match self {
            Self::Files(files) => &files.name,
            Self::Postgres(database) | Self::AzureSql(database) => &database.name,
        }
    }

    /// As it is written under `type:`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Postgres(_) => "postgres",
            Self::AzureSql(_) => "azure_sql",
        }
    }

    /// The names of its tables, in the order of the file.
    pub fn table_names(&self) -> Vec<&Located<TableName>> {
        match self {
            Self::Files(files) => files.tables.iter().map(|table| &table.name).collect(),
            Self::Postgres(database) | Self::AzureSql(database) => {
                database.tables.iter().map(|table| &table.name).collect()
            }
        }
    }
}

record! {
    /// The three stages of the lake.
    #[derive(Default)]
    pub struct Stages, "the stages" {
        /// What the sources had.
        pub bronze: StageSettings = StageSettings::default(),
        /// Cleaned, and held to contracts.
        pub silver: StageSettings = StageSettings::default(),
        /// Ready for the business.
        pub gold: StageSettings = StageSettings::default(),
    }
}

impl Stages {
    /// The settings of a stage.
    pub fn get(&self, stage: Stage) -> &StageSettings {
        match stage {
            Stage::Bronze => &self.bronze,
            Stage::Silver => &self.silver,
            Stage::Gold => &self.gold,
        }
    }

    /// The folder of a stage on this machine, as written: relative to the project's folder unless absolute.
    pub fn local_path(&self, stage: Stage) -> PathBuf {
        self.get(stage)
            .local_path
            .as_deref()
            .cloned()
            .unwrap_or_else(|| ["data", stage.as_str()].iter().collect())
    }

    /// How the paths of a stage's datasets are made.
    pub fn template(&self, stage: Stage) -> PathTemplate {
        let written = self.get(stage).remote_path_template.as_deref().cloned();
        written.unwrap_or_else(|| PathTemplate::default_of(stage))
    }

    /// The size at which a stage's datasets begin another Parquet file.
    pub fn max_file_size(&self, stage: Stage) -> ByteSize {
        self.get(stage)
            .max_file_size
            .as_deref()
            .copied()
            .unwrap_or(ByteSize::from_bytes(256 << 20))
    }

    /// The folder with the SQL of a stage; what only one of silver and gold says holds for both.
    pub fn transformations_path(&self, stage: Stage) -> PathBuf {
        self.shared(
            stage,
            |settings| settings.transformations_path.as_ref(),
            "transformations/sql",
        )
    }

    /// The folder with the contracts of a stage; what only one of silver and gold says holds for both.
    pub fn contracts_path(&self, stage: Stage) -> PathBuf {
        self.shared(
            stage,
            |settings| settings.contracts_path.as_ref(),
            "transformations/contracts",
        )
    }

    fn shared(
        &self,
        stage: Stage,
        key: fn(&StageSettings) -> Option<&Located<PathBuf>>,
        default: &str,
    ) -> PathBuf {
        [self.get(stage), &self.silver, &self.gold]
            .into_iter()
            .find_map(key)
            .map_or_else(|| default.into(), |path| path.value.clone())
    }
}

record! {
    /// Where and how a stage keeps its datasets.
    #[derive(Default)]
    pub struct StageSettings, "a stage" {
        /// Its folder on this machine, `data/<stage>` by default. With `data_lake`: room for work in progress.
        pub local_path: Option<Located<PathBuf>>,
        /// Keeps the stage in Azure Data Lake Storage.
        pub data_lake: Option<DataLake>,
        /// How a dataset's path is made, with `{stage}`, `{source}`, `{table}` and `{dataset}`. Ends it in `.parquet`, then
        /// a dataset that is built in full is also published as one file at exactly that path.
        pub remote_path_template: Option<Located<PathTemplate>>,
        /// Accepted and not used: a checkpoint is kept in the same commit as the rows it stands for.
        pub checkpoint_path: Option<PathBuf>,
        /// The folder with one SQL file per dataset, `transformations/sql` by default.
        pub transformations_path: Option<Located<PathBuf>>,
        /// The folder with the contracts, `transformations/contracts` by default.
        pub contracts_path: Option<Located<PathBuf>>,
        /// The size at which another Parquet file is begun, `256MiB` by default.
        pub max_file_size: Option<Located<ByteSize>>,
        /// How many rows a row group of a Parquet file has that is read from a database, 122,880 by default.
        pub row_group_rows: Option<Located<u32>>,
    }
}

record! {
    /// A container of Azure Data Lake Storage.
    pub struct DataLake, "a data lake" {
        /// The storage account.
        pub account_name: Setting,
        /// The container.
        pub file_system: Setting,
        /// An account key or a shared access signature; else the identity of the machine is used.
        pub credential: Option<Setting>,
        /// Another address than Azure's own, such as an emulator's.
        pub endpoint: Option<Setting>,
    }
}

record! {
    /// What is written about runs.
    pub struct Monitoring, "monitoring" {
        /// The log: one JSON object a line.
        pub log_path: PathBuf = "logs/pipeline.log".into(),
        /// The figures of the last run.
        pub metrics_path: PathBuf = "logs/metrics.json".into(),
        /// The least important messages to log.
        pub log_level: LogLevel = LogLevel::Info,
    }
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            log_path: "logs/pipeline.log".into(),
            metrics_path: "logs/metrics.json".into(),
            log_level: LogLevel::Info,
        }
    }
}

/// How important a message has to be to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Only failures.
    Error,
    /// Also what may become one.
    Warn,
    /// Also what was done.
    Info,
    /// Also how.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As it is written, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl std::fmt::Display for LogLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is no level of the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a log level: expected `error`, `warn`, `info`, `debug` or `trace`")]
pub struct BadLogLevel(String);

impl crate::read::Refusal for BadLogLevel {}

/// In any case, and with Python's word for `warn`.
impl std::str::FromStr for LogLevel {
    type Err = BadLogLevel;
    fn from_str(text: &str) -> Result<Self, BadLogLevel> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "critical" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(BadLogLevel(text.chars().take(60).collect())),
        }
    }
}

record! {
    /// How hard the machine may work. What is left out is taken from the machine or its container.
    #[derive(Default)]
    pub struct EngineSettings, "the engine" {
        /// For the whole program, such as `4GB`; 70 % of the machine's by default.
        pub memory_limit: Option<Located<ByteSize>>,
        /// For all tasks together; the number of processors by default.
        pub threads: Option<Located<u32>>,
        /// Where what does not fit into memory goes.
        pub temp_directory: Option<Located<PathBuf>>,
        /// The most that may go there, such as `20GB`.
        pub max_temp_size: Option<Located<ByteSize>>,
    }
}

crate::read::read_as_parsed! {
    LogLevel, "a log level", { "type": "string", "examples": ["error", "warn", "info", "debug", "trace"] };
    ByteSize, "a size such as `512MB`", { "type": ["string", "integer"], "pattern": "^[0-9.]+ *([kKmMgGtT][iI]?[bB]?|[bB])?$" };
    Lookback, "a span such as `3d`, or a number", { "type": ["string", "number"], "pattern": "^[0-9]+([.][0-9]+)? *([smhdw])?$" };
    Span, "a span such as `12h`", { "type": "string", "pattern": "^[0-9]+([.][0-9]+)? *[smhdw]$" };
    PathTemplate, "a path", { "type": "string" };
    VaultUrl, "the address of a key vault", { "type": "string", "pattern": "^https://" };
}
