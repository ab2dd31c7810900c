//! A project: everything that was written, resolved and checked.

mod cycle;
mod digest;
mod load;
mod resolve;

pub(crate) use digest::canonical;
pub use load::{PartialProject, folder_of};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{
    self, DatabaseSource, DatabaseTable, EngineSettings, FanOut, FilesSource, FilesTable, KeyVault,
    Monitoring, Pseudonyms, Queue, Source, Stages,
};
use crate::dedupe::{Keep, LargeCluster, Model};
use crate::read::Located;
use crate::{
    Alias, Contract, DatasetId, Dedupe, KeptFor, PipelineName, Place, SecretName, Setting, Stage,
};

/// A folder with `configs/` and `transformations/`, read and free of mistakes.
#[derive(Clone, Debug)]
pub struct Project {
    /// The pipeline's name: what the configuration says, else its file's name.
    pub name: PipelineName,
    /// What every relative path is relative to.
    pub folder: PathBuf,
    /// The configuration file.
    pub config_path: PathBuf,
    /// Where data comes from, in the order of the file.
    pub sources: Vec<Source>,
    /// Where data goes.
    pub stages: Stages,
    /// What is built, in the order of the file, silver before gold.
    pub datasets: Vec<Dataset>,
    /// What is written about runs. Paths as written: see [`Project::path`].
    pub monitoring: Monitoring,
    /// How hard the machine may work.
    pub engine: EngineSettings,
    /// Where secrets come from.
    pub key_vault: Option<KeyVault>,
    /// How personal data is protected.
    pub privacy: Option<Pseudonyms>,
    /// The transformations file.
    pub transformations_path: Option<PathBuf>,
    /// The queue that starts stages.
    pub queue: Option<Queue>,
    /// Every file that was read, in the order of reading.
    pub files_read: Vec<PathBuf>,
}

/// A dataset of silver or gold and how it is built.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Which.
    pub id: DatasetId,
    /// Where it is listed.
    pub place: Place,
    /// What it is.
    pub description: Option<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// What its query sees, in the order of the file, every alias once.
    pub inputs: Vec<Input>,
    /// Its query.
    pub sql: SqlText,
    /// The contracts it keeps, in the order of the file.
    pub contracts: Vec<NamedContract>,
    /// Which of its rows are the same thing, and what becomes of them.
    pub dedupe: Option<Deduplication>,
    /// The datasets that rules of its contracts hold it against, each name once. Its own rows are not among them.
    pub held_against: Vec<HeldAgainst>,
}

impl Dataset {
    /// What has to be there before it can be built and checked, and where that is written: its inputs, and what it is held against.
    pub fn reads(&self) -> impl Iterator<Item = (&DatasetId, &Place)> {
        let inputs = self
            .inputs
            .iter()
            .map(|input| (&input.dataset, &input.place));
        let others = self.held_against.iter();
        inputs.chain(others.map(|other| (&other.dataset, &other.place)))
    }
}

/// A dataset that rules of a contract name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAgainst {
    /// As the contract names it.
    pub name: String,
    /// The dataset.
    pub dataset: DatasetId,
    /// Where the contract names it.
    pub place: Place,
}

/// A deduplication that may be done.
#[derive(Clone, Debug)]
pub struct Deduplication {
    /// How.
    pub how: Dedupe,
    /// The column that tells the query's rows apart.
    pub unique_id: Located<String>,
    /// Splink's settings, where `splink:` names some.
    pub model: Option<Model>,
    /// Where it stands.
    pub place: Place,
    /// What was written, without its form: for digests.
    canonical: Arc<str>,
}

/// What a query sees under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The name in the query.
    pub alias: Alias,
    /// The dataset.
    pub dataset: DatasetId,
    /// Where it is listed.
    pub place: Place,
}

/// A query and the file it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlText {
    /// The file, as [`Place`]s of its mistakes name it.
    pub path: PathBuf,
    /// Its text, without a byte-order mark.
    pub text: String,
}

/// A contract under the name by which transformations refer to it.
#[derive(Clone, Debug)]
pub struct NamedContract {
    /// The file's name, without `.yml`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub contract: Arc<Contract>,
    /// What it says, without its form: for digests.
    canonical: Arc<str>,
}

impl Deduplication {
    /// Whether rows are compared, so that they are one thing only probably.
    pub fn compares(&self) -> bool {
        self.model.is_some() || !self.how.comparisons.is_empty()
    }

    /// What to do with a cluster of too many rows.
    pub fn on_large_cluster(&self) -> LargeCluster {
        let default = if self.compares() {
            LargeCluster::Split
        } else {
            LargeCluster::Fail
        };
        self.how.on_large_cluster.unwrap_or(default)
    }

    /// The columns that it adds to what the query returns.
    pub fn added_columns(&self) -> Vec<&'static str> {
        let mut added = vec!["cluster_id", "cluster_size"];
        if self.compares() {
            added.extend(["match_probability", "match_weight"]);
        }
        match self.how.output.keep {
            Keep::All => added.push("is_survivor"),
            Keep::Golden => added.push("merged_ids"),
            Keep::Survivor => {}
        }
        added
    }
}

impl Project {
    /// A path as written, relative to the project's folder unless absolute.
    pub fn path(&self, written: impl AsRef<Path>) -> PathBuf {
        self.folder.join(written)
    }

    /// The folder of a stage on this machine.
    pub fn stage_folder(&self, stage: Stage) -> PathBuf {
        self.path(self.stages.local_path(stage))
    }

    /// How much work one message of the queue stands for.
    pub fn fan_out(&self) -> FanOut {
        self.queue
            .as_ref()
            .map_or(FanOut::Stage, |queue| queue.fan_out)
    }

    /// The secrets that it uses, sorted.
    pub fn secret_names(&self) -> Vec<&SecretName> {
        let settings = config::settings(
            &self.sources,
            &self.stages,
            self.queue.as_ref(),
            self.privacy.as_ref(),
        );
        let names = settings.into_iter().flat_map(Setting::secret_names);
        BTreeSet::from_iter(names).into_iter().collect()
    }

    /// Every dataset of the project: tables of the sources in the order of the file, then what is built.
    pub fn dataset_ids(&self) -> Vec<DatasetId> {
        let tables = self.sources.iter().flat_map(|source| {
            let name = source.name().value.clone();
            source
                .table_names()
                .into_iter()
                .map(move |table| DatasetId::Extracted(name.clone(), table.value.clone()))
        });
        tables
            .chain(self.datasets.iter().map(|dataset| dataset.id.clone()))
            .collect()
    }

    /// How a dataset is built. None for tables of sources and for what the project does not have.
    pub fn dataset(&self, id: &DatasetId) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.id == *id)
    }

    /// The source that has a table. None for what is built and for what the project does not have.
    pub fn source(&self, id: &DatasetId) -> Option<&Source> {
        let DatasetId::Extracted(name, table) = id else {
            return None;
        };
        let source = self
            .sources
            .iter()
            .find(|source| source.name().value == *name)?;
        source
            .table_names()
            .into_iter()
            .any(|known| known.value == *table)
            .then_some(source)
    }

    /// A table of a database. None for what does not come from one.
    pub fn database_table(&self, id: &DatasetId) -> Option<(&DatabaseSource, &DatabaseTable)> {
        match (self.source(id)?, id) {
            (
                Source::Postgres(database) | Source::AzureSql(database),
                DatasetId::Extracted(_, name),
            ) => Some((
                database,
                database
                    .tables
                    .iter()
                    .find(|table| table.name.value == *name)?,
            )),
            _ => None,
        }
    }

    /// How long the rows of a dataset are kept: by each of its contracts, or by the settings of its table. Empty: for ever.
    pub fn kept_for(&self, id: &DatasetId) -> Vec<KeptFor> {
        if let Some(dataset) = self.dataset(id) {
            let contracts = dataset.contracts.iter();
            return contracts
                .filter_map(|named| named.contract.kept_for())
                .collect();
        }
        let of_files = || self.files_table(id)?.1.data_retention.as_ref();
        let of_database = || self.database_table(id)?.1.data_retention.as_ref();
        let said = of_files().or_else(of_database);
        let kept = said.and_then(|said| {
            Some(KeptFor {
                column: said.column.as_ref()?.value.clone(),
                max_age_days: said.max_age_days.as_ref()?.value,
                place: said.place.clone(),
            })
        });
        kept.into_iter().collect()
    }

    /// The files of a table. None for what does not come from files.
    pub fn files_table(&self, id: &DatasetId) -> Option<(&FilesSource, &FilesTable)> {
        match (self.source(id)?, id) {
            (Source::Files(files), DatasetId::Extracted(_, name)) => Some((
                files,
                files
                    .tables
                    .iter()
                    .find(|table| table.name.value == *name)?,
            )),
            _ => None,
        }
    }
}
