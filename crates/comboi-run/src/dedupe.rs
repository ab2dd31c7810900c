//! What a deduplication keeps beside its dataset: which row is in which cluster, and how clusters merged and split.
//!
//! Both are committed before the dataset, and the dataset's commit notes which versions of them go with it. The next
//! deduplication takes up what that commit notes and nothing else, so whatever a run left there that died before it came
//! to the dataset is as if it had never been: the run after it finds the same names again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comboi_engine::{Built, Deduped, Input};
use comboi_lake::{Change, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, Companion, Contract, ContractColumn, Deduplication, Located};
use serde::{Deserialize, Serialize};

use crate::runner::Runner;
use crate::task::TaskError;
use crate::writer;

/// Which versions go with a version of the dataset. Kept in the dataset's commit.
pub(crate) const DEDUPE: &str = "dedupe";

/// What a commit notes under [`DEDUPE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// The column that told the rows apart.
    unique_id: String,
    /// The version of the clusters.
    clusters: u64,
    /// The version of the log; `None` when nothing ever merged or split.
    log: Option<u64>,
    /// The version of the pairs; `None` when they are not wanted.
    #[serde(default)]
    pairs: Option<u64>,
}

impl Noted {
    /// What a version of a dataset notes. What another comboi wrote there may not be understood; then the clusters begin anew.
    pub(crate) fn of(properties: &BTreeMap<String, String>) -> Option<Self> {
        serde_json::from_str(properties.get(DEDUPE)?).ok()
    }

    /// The version of one of them that has to be kept for this one.
    pub(crate) fn version(&self, which: Companion) -> Option<u64> {
        match which {
            Companion::Clusters => Some(self.clusters),
            Companion::ClusterLog => self.log,
            Companion::Pairs => self.pairs,
        }
    }
}

/// What goes with the dataset as it is, on this machine's disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    noted: Option<Noted>,
    clusters: Option<Kept>,
    log: Option<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    columns: Columns,
    files: Vec<PathBuf>,
}

impl Kept {
    fn input(&self) -> Input<'_> {
        Input {
            alias: "before",
            columns: &self.columns,
            files: &self.files,
        }
    }

    /// Whether ids of this type can be compared with those that were kept.
    fn fits(&self, column: &str, how: &Deduplication, rows: &Columns) -> bool {
        let of =
            |columns: &Columns, name: &str| columns.get(name).map(|found| found.sql_type.clone());
        of(&self.columns, column) == of(rows, &how.unique_id)
    }
}

impl Before {
    pub(crate) async fn fetch(
        runner: &Runner,
        how: &Deduplication,
        base: Option<&Snapshot>,
        id: &comboi_project::DatasetId,
        scratch: &Path,
    ) -> Result<Self, TaskError> {
        let noted = base
            .and_then(|base| Noted::of(&base.properties))
            .filter(|noted| noted.unique_id == how.unique_id.value);
        let Some(noted) = noted else {
            return Ok(Self::default());
        };
        let kept = async |which: Companion| -> Result<Option<Kept>, TaskError> {
            let Some(version) = noted.version(which) else {
                return Ok(None);
            };
            let table = runner.lake.companion(id, which);
            let snapshot = match table.snapshot_at(version).await {
                Ok(snapshot) => Some(snapshot),
                // Somebody cleared it away by hand.
                Err(comboi_lake::Error::NoSuchVersion { .. } | comboi_lake::Error::Missing(_)) => {
                    table.snapshot().await?
                }
                Err(e) => return Err(e.into()),
            };
            let Some(snapshot) = snapshot else {
                return Ok(None);
            };
            let folder = scratch.join(which.suffix());
            let files = table.local_files(&snapshot, &folder).await?;
            Ok(Some(Kept {
                columns: snapshot.columns,
                files,
            }))
        };
        Ok(Self {
            clusters: kept(Companion::Clusters).await?,
            log: kept(Companion::ClusterLog).await?,
            noted: Some(noted),
        })
    }

    /// Which row was in which cluster, where the ids still are what they were.
    pub(crate) fn clusters(&self, how: &Deduplication, rows: &Columns) -> Option<Input<'_>> {
        let kept = self.clusters.as_ref();
        kept.filter(|kept| kept.fits("unique_id", how, rows))
            .map(Kept::input)
    }

    /// The log, where it has a place for the ids as they are.
    pub(crate) fn log(&self, how: &Deduplication, rows: &Columns) -> Option<Input<'_>> {
        let kept = self.log.as_ref();
        kept.filter(|kept| kept.fits("cluster_id", how, rows))
            .map(Kept::input)
    }

    /// Commits what was found, so that the dataset can note it. `change` says by whom and when.
    pub(crate) async fn commit(
        &self,
        runner: &Runner,
        how: &Deduplication,
        id: &comboi_project::DatasetId,
        deduped: &Deduped,
        change: &Change,
    ) -> Result<Noted, TaskError> {
        let put = async |which: Companion, built: Option<&Built>, kept: Option<&Kept>| {
            let noted = self.noted.as_ref().and_then(|noted| noted.version(which));
            put(
                &runner.lake.companion(id, which),
                built,
                kept,
                noted,
                change,
            )
            .await
        };
        let clusters = put(
            Companion::Clusters,
            deduped.clusters.as_ref(),
            self.clusters.as_ref(),
        )
        .await?;
        Ok(Noted {
            unique_id: how.unique_id.value.clone(),
            clusters: clusters.ok_or_else(|| {
                TaskError::Defect("rows were deduplicated and no cluster was kept".to_owned())
            })?,
            pairs: match &deduped.pairs {
                Some(pairs) => put(Companion::Pairs, Some(pairs), None).await?,
                None => None,
            },
            log: put(
                Companion::ClusterLog,
                deduped.log.as_ref(),
                self.log.as_ref(),
            )
            .await?,
        })
    }
}

/// Makes what was built the newest version of a table; without it, what was noted. The version; `None` when there
/// never was anything.
async fn put(
    table: &Table,
    built: Option<&Built>,
    kept: Option<&Kept>,
    noted: Option<u64>,
    change: &Change,
) -> Result<Option<u64>, TaskError> {
    let newest = table.snapshot().await?;
    let version = newest.as_ref().map(|newest| newest.version);
    if built.is_none() && version == noted {
        return Ok(noted);
    }
    // A run that died before it came to the dataset left a newer version than the one that is to go on.
    let (columns, add) = match (built, kept, &newest) {
        (Some(built), _, _) => (built.columns.clone(), vec![built.file.clone()]),
        (None, Some(kept), _) => (kept.columns.clone(), kept.files.clone()),
        (None, None, Some(newest)) => (newest.columns.clone(), Vec::new()),
        (None, None, None) => return Ok(None),
    };
    let change = Change {
        chunk: writer::next_chunk(newest.as_ref(), &change.pipeline, change.run),
        operation: Operation::Replace,
        columns,
        add,
        remove: Remove::All,
        properties: BTreeMap::new(),
        ..change.clone()
    };
    Ok(Some(
        table.commit_only(newest.as_ref(), change).await?.version,
    ))
}

/// The contract with the columns that a deduplication adds, as far as it does not name them itself.
pub(crate) fn with_added_columns(
    contract: &Contract,
    how: &Deduplication,
    columns: &Columns,
) -> Contract {
    let mut contract = contract.clone();
    for name in how.added_columns() {
        let Some(column) = columns
            .get(name)
            .filter(|_| contract.column(name).is_none())
        else {
            continue;
        };
        let place = contract.schema.place.clone();
        contract.schema.value.columns.push(Located::new(
            ContractColumn {
                name: Located::new(name.to_owned(), place.clone()),
                sql_type: Located::new(column.sql_type.clone(), place.clone()),
                nullable: Located::new(true, place.clone()),
                description: None,
                constraints: Default::default(),
                severity: None,
                action: None,
                pii: None,
                classification: None,
                deprecated: None,
                replacement: None,
                tags: Vec::new(),
            },
            place,
        ));
    }
    contract
}
