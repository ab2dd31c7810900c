//! Comparing a table of a database with what the lake has of it.

use comboi_engine::read_files::Known;
use comboi_engine::{ComparedRange, compare};
use comboi_project::{Columns, DatasetId, RunId};
use comboi_sources::Stamp;

use crate::extract::open;
use crate::runner::{RunError, Runner};
use crate::task::{Scratch, TaskError, chain, with_session};

/// What was found.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// The column by which rows were put into ranges.
    pub by: Option<String>,
    /// Range by range; `left` is the source, `right` the lake.
    pub ranges: Vec<ComparedRange>,
    /// Columns that only one of both has, which were not compared.
    pub not_compared: Vec<String>,
}

impl Runner {
    /// Reads a table of a database as it is now and compares it with the lake's, in about so many ranges of its key, else of its
    /// incremental column. Nothing is written.
    pub async fn reconcile(&self, id: &DatasetId, ranges: usize) -> Result<Reconciled, RunError> {
        let found = self.compared(id, ranges).await;
        found.map_err(|e| RunError::ByHand(chain(&e)))
    }

    async fn compared(&self, id: &DatasetId, ranges: usize) -> Result<Reconciled, TaskError> {
        let table = self.lake.table(id);
        let snapshot = table
            .snapshot()
            .await?
            .ok_or_else(|| TaskError::NotYet(id.clone()))?;
        let (reader, _) = open(&self.project, &self.databases, id, self.limits.threads)?;
        let by = reader
            .table
            .key()
            .into_iter()
            .chain(reader.table.cursor())
            .next();
        let mut reading = reader.open_whole(Some(&snapshot.columns)).await?;
        let scratch = Scratch::make(self, RunId(0), &format!("reconcile-{id}"))?;
        let folder = scratch.path().join("source");
        std::fs::create_dir(&folder).map_err(|e| TaskError::Scratch(folder.clone(), e))?;
        let stamp = Stamp {
            run: RunId(0),
            loaded_at: self.clock.now(),
        };
        let source = match reading.next(stamp, &folder).await? {
            Some(chunk) => Known {
                columns: chunk.columns().clone(),
                files: chunk.files,
            },
            None => Known::default(),
        };
        let files = table
            .local_files(&snapshot, &scratch.path().join("known"))
            .await?;
        let own = |name: &str| name.starts_with("_comboi_");
        let lake = Known {
            columns: snapshot
                .columns
                .iter()
                .filter(|it| !own(&it.name))
                .cloned()
                .collect(),
            files,
        };
        let both: Columns = lake
            .columns
            .iter()
            .filter(|it| source.columns.get(&it.name).is_some())
            .cloned()
            .collect();
        let one = |of: &Columns| -> Vec<String> {
            of.names()
                .filter(|name| both.get(name).is_none())
                .map(str::to_owned)
                .collect()
        };
        let not_compared = one(&lake.columns)
            .into_iter()
            .chain(one(&source.columns))
            .collect();
        let by = by.and_then(|by| both.get(&by).map(|column| column.name.clone()));
        let limits = self.limits.shared_by(1);
        let column = by.clone();
        let ranges = with_session(self, &limits, scratch.path(), move |session| {
            compare(session, &source, &lake, &both, column.as_deref(), ranges)
                .map_err(|e| TaskError::Source(e.into()))
        })
        .await?;
        Ok(Reconciled {
            by,
            ranges,
            not_compared,
        })
    }
}
