//! Datasets that no file of the project names, and what becomes of them: they are dropped, or renamed.

use comboi_lake::{Deleted, Error, Going, Lake, Table};
use comboi_project::{DatasetId, Project, RunId};

use crate::beside::Beside;
use crate::ledger::{Order, RunKind};
use crate::runner::{RunError, Runner};

/// The datasets in the lake that no file of the project names.
pub async fn not_in_project(lake: &Lake, project: &Project) -> Result<Vec<DatasetId>, Error> {
    let known = project.dataset_ids();
    let mut all = lake.everything().await?;
    all.retain(|id| !known.contains(id));
    Ok(all)
}

/// What a dataset takes up.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// The dataset.
    pub dataset: DatasetId,
    /// The rows of its current version; `None` if it can't be read, or only what was beside it is there.
    pub row_count: Option<u64>,
    /// What was begun with it and has not ended.
    pub going: Option<Going>,
    /// The dataset and what is beside it, by name.
    pub tables: Vec<(String, Deleted)>,
    /// The run that deleted it; `None` if nothing was deleted.
    pub run: Option<RunId>,
}

/// A dataset that has another name.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// Its rows.
    pub row_count: u64,
    /// Its version.
    pub version: u64,
    /// The run that renamed it.
    pub run: RunId,
}

impl Runner {
    /// What dropping a dataset would delete. Reads only. `None` if nothing of it is in the lake.
    pub async fn would_drop(&self, id: &DatasetId) -> Result<Option<Dropped>, RunError> {
        let mut tables = Vec::new();
        for table in self.tables_of(id) {
            let deleted = table.would_delete().await?;
            if deleted.files > 0 {
                tables.push((table.name().to_owned(), deleted));
            }
        }
        if tables.is_empty() {
            return Ok(None);
        }
        let table = self.lake.table(id);
        // What can't be read can be dropped.
        let latest = table.latest().await.ok().flatten();
        Ok(Some(Dropped {
            dataset: id.clone(),
            row_count: latest.as_ref().map(|latest| latest.row_count),
            going: latest.and_then(|latest| table.going(&latest.properties)),
            tables,
            run: None,
        }))
    }

    /// Deletes a dataset with all its versions and all that is beside it. `None` if nothing of it is in the lake.
    ///
    /// Safe to repeat, and to stop anywhere.
    pub async fn drop_dataset(&self, id: &DatasetId) -> Result<Option<Dropped>, RunError> {
        self.refuse_under_way().await?;
        let Some(dropped) = self.would_drop(id).await? else {
            return Ok(None);
        };
        let run = self.by_hand(RunKind::Drop, id, async |order| {
            let table = self.lake.table(id);
            let (pipeline, now) = (&self.project.name, self.clock.now());
            match table.announce(None, pipeline, order.run, now).await {
                // What can't be read is deleted without a note.
                Ok(_) | Err(Error::Damaged { .. }) => {}
                Err(Error::Refused { .. }) if self.is_replaced(&table).await? => {}
                Err(e) => return Err(e.into()),
            }
            for table in self.tables_of(id).iter().rev() {
                table.delete_all().await?;
            }
            Ok(order.run)
        });
        Ok(Some(Dropped {
            run: Some(run.await?),
            ..dropped
        }))
    }

    /// Whether a table was to be renamed, and something else has that name by now.
    async fn is_replaced(&self, table: &Table) -> Result<bool, RunError> {
        let Some(latest) = table.latest().await? else {
            return Ok(false);
        };
        let going = table.going(&latest.properties);
        let Some(Ok(to)) = going.and_then(|going| going.to).map(|to| to.parse()) else {
            return Ok(false);
        };
        let new = self.lake.table(&to);
        Ok(new.latest().await.is_ok_and(|it| it.is_some()) && !new.is_copy_of(&latest).await?)
    }

    /// Gives a dataset another name in the same stage, with all its versions and all that is beside it.
    ///
    /// Safe to repeat, and to stop anywhere: until it is done, both may be there.
    pub async fn rename(&self, from: &DatasetId, to: &DatasetId) -> Result<Renamed, RunError> {
        self.refuse_under_way().await?;
        let work = async |order: &Order| self.renamed(from, to, order.run).await;
        self.by_hand(RunKind::Rename, from, work).await
    }

    async fn renamed(
        &self,
        from: &DatasetId,
        to: &DatasetId,
        run: RunId,
    ) -> Result<Renamed, RunError> {
        let (old, new) = (self.lake.table(from), self.lake.table(to));
        let missing = || RunError::Lake(Error::Missing(from.to_string()));
        let latest = old.latest().await?.ok_or_else(missing)?;
        if old.going(&latest.properties).is_none() {
            for table in self.tables_of(to) {
                if table.would_delete().await?.files > 0 {
                    return Err(RunError::ByHand(format!(
                        "`{}` is in the lake already, so `{from}` can't get its name; nothing was changed",
                        table.name()
                    )));
                }
            }
        } else if let Ok(Some(_)) = new.latest().await
            && !new.is_copy_of(&latest).await?
        {
            return Err(RunError::ByHand(format!(
                "`{to}` was made since the renaming of `{from}` began, by a run that read its source anew, so nothing was changed: if it has all rows, `comboi drop {from} --yes` deletes the old dataset"
            )));
        }
        let (pipeline, now) = (&self.project.name, self.clock.now());
        let announced = old.announce(Some(&new), pipeline, run, now).await?;
        let announced = announced.ok_or_else(missing)?;
        let (mut beside, mut copies) = (self.tables_of(from), self.tables_of(to));
        // The datasets themselves come last.
        beside.rotate_left(1);
        copies.rotate_left(1);
        let is_whole = match new.is_copy_of(&announced).await? {
            true => new.snapshot().await.is_ok(),
            false => false,
        };
        // Of a copy that is whole, the old table may be gone in part.
        if !is_whole {
            for (table, copy) in beside.iter().zip(&copies) {
                table.copy_to(copy).await?;
            }
        }
        let copied = new.snapshot().await?.ok_or_else(missing)?;
        let current = old.latest().await?.map(|latest| latest.version);
        if copied.version < announced.version || current != Some(announced.version) {
            return Err(Error::Overtaken(from.to_string()).into());
        }
        if !copied.files.is_empty() {
            new.publish(&copied).await?;
        }
        for table in &beside {
            table.delete_all().await?;
        }
        Ok(Renamed {
            row_count: copied.row_count(),
            version: copied.version,
            run,
        })
    }

    /// The dataset, and the tables beside it that have folders of their own.
    fn tables_of(&self, id: &DatasetId) -> Vec<Table> {
        let beside = Beside::of(id).into_iter();
        let apart = beside.filter(|kind| *kind != Beside::FilesRead);
        let tables = apart.map(|kind| kind.table(&self.lake, id));
        [self.lake.table(id)].into_iter().chain(tables).collect()
    }
}
