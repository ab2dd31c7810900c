//! All datasets.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_project::{Companion, DatasetId, PathTemplate, Stage};
use futures::future::try_join_all;
use object_store::path::Path as Key;
use object_store::{ListResult, ObjectStoreExt as _, PutMode, PutOptions};

use crate::error::{Error, FILES_READ};
use crate::layout::{BadLayout, Layout};
use crate::root::{NoLinks, Root};
use crate::table::Table;

/// The datasets of all stages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lake {
    stages: Arc<BTreeMap<Stage, (Root, Layout)>>,
}

impl Lake {
    /// A lake with these stages. Asks nothing of the storage.
    pub fn new(stages: BTreeMap<Stage, (Root, PathTemplate)>) -> Result<Self, BadLayout> {
        let laid_out = stages.into_iter().map(|(stage, (root, template))| {
            let layout = Layout::new(stage, root.base.clone(), &template, root.folder.is_some())?;
            Ok((stage, (root, layout)))
        });
        Ok(Self {
            stages: Arc::new(laid_out.collect::<Result<_, _>>()?),
        })
    }

    /// A dataset, whether it is there yet or not.
    ///
    /// # Panics
    /// When the lake was made without the dataset's stage.
    pub fn table(&self, id: &DatasetId) -> Table {
        let (root, layout) = self.stage(id.stage());
        Table::new(
            id.to_string(),
            root.clone(),
            layout.table(id),
            layout.published(id),
        )
    }

    /// Where the rows of a dataset are kept that a rule kept out.
    ///
    /// # Panics
    /// When the lake was made without the dataset's stage.
    pub fn quarantine(&self, id: &DatasetId) -> Table {
        let (root, layout) = self.stage(id.stage());
        Table::new(
            format!("{id}__quarantine"),
            root.clone(),
            layout.quarantine(id),
            None,
        )
    }

    /// Which files a table of files was read from.
    ///
    /// # Panics
    /// When the lake was made without the dataset's stage.
    pub fn files_read(&self, id: &DatasetId) -> Table {
        let (root, layout) = self.stage(id.stage());
        let name = format!("{id}{FILES_READ}");
        Table::new(name, root.clone(), layout.files_read(id), None)
    }

    /// What a deduplication keeps beside a dataset.
    ///
    /// # Panics
    /// When the lake was made without the dataset's stage.
    pub fn companion(&self, id: &DatasetId, which: Companion) -> Table {
        let (root, layout) = self.stage(id.stage());
        Table::new(
            format!("{id}{}", which.suffix()),
            root.clone(),
            layout.companion(id, which),
            None,
        )
    }

    /// One of comboi's own tables, such as the record of all runs: `_comboi/<name>` below bronze.
    ///
    /// # Panics
    /// When the lake was made without bronze.
    pub fn record(&self, name: &'static str) -> Table {
        let (root, layout) = self.stage(Stage::Bronze);
        Table::new(
            format!("_comboi/{name}"),
            root.clone(),
            layout.record(name),
            None,
        )
    }

    /// The datasets that are there, in the order of stages and names.
    pub async fn datasets(&self) -> Result<Vec<DatasetId>, Error> {
        self.owners(Layout::dataset).await
    }

    /// The datasets of which anything is there: they themselves, or only what is kept beside them.
    pub async fn everything(&self) -> Result<Vec<DatasetId>, Error> {
        self.owners(Layout::owner).await
    }

    async fn owners(
        &self,
        of: impl Fn(&Layout, &Key) -> Option<DatasetId>,
    ) -> Result<Vec<DatasetId>, Error> {
        let mut datasets = Vec::new();
        for (root, layout) in self.stages.values() {
            let mut folders = vec![layout.base().clone()];
            for _ in 0..layout.depth() {
                let below = folders.iter().map(|folder| list(root, folder));
                folders = try_join_all(below)
                    .await?
                    .into_iter()
                    .flat_map(|found| found.common_prefixes)
                    .collect();
            }
            let candidates = folders
                .iter()
                .filter_map(|folder| Some((of(layout, folder)?, folder)));
            for (id, folder) in candidates {
                let log = crate::layout::log(folder);
                if list(root, folder).await?.common_prefixes.contains(&log) {
                    datasets.push(id);
                }
            }
        }
        datasets.sort();
        datasets.dedup();
        Ok(datasets)
    }

    /// Whether a stage can be worked with: writes a small object, sees that it is not written twice, reads it and takes it away.
    ///
    /// # Panics
    /// When the lake was made without the stage.
    pub async fn check(&self, stage: Stage) -> Result<(), Error> {
        let (root, layout) = self.stage(stage);
        let key = layout.probe(&uuid::Uuid::new_v4().simple().to_string());
        let failed = |doing| {
            move |e: object_store::Error| Error::Unavailable {
                dataset: stage.to_string(),
                doing,
                source: e.into(),
            }
        };
        let create = || PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let put = root.store.put_opts(&key, "comboi".into(), create()).await;
        put.map_err(|e| match root.folder.as_deref().and_then(NoLinks::of) {
            Some(no_links) => Error::NoLinks(no_links),
            None => failed("write to")(e),
        })?;
        let again = root.store.put_opts(&key, "twice".into(), create()).await;
        let read = match root.store.get(&key).await {
            Ok(found) => found.bytes().await,
            Err(e) => Err(e),
        };
        root.store
            .delete(&key)
            .await
            .map_err(failed("delete from"))?;
        if let (true, Some(file)) = (root.folder.is_some(), root.file(&key)) {
            // Only a folder has folders; what is in this one is nothing.
            for folder in file.ancestors().skip(1).take(2) {
                drop(std::fs::remove_dir(folder));
            }
        }
        let read = read.map_err(failed("read from"))?;
        match again {
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) if read == "comboi" => Ok(()),
            _ => Err(Error::Refused {
                dataset: stage.to_string(),
                why: "the storage lets two writers both be the first, so commits could be lost"
                    .to_owned(),
            }),
        }
    }

    fn stage(&self, stage: Stage) -> &(Root, Layout) {
        self.stages
            .get(&stage)
            .expect("a lake is asked only for the stages that it was made with")
    }
}

async fn list(root: &Root, folder: &Key) -> Result<ListResult, Error> {
    let listed = root.store.list_with_delimiter(Some(folder)).await;
    match listed {
        Ok(listed) => Ok(listed),
        Err(object_store::Error::NotFound { .. }) => Ok(ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
        }),
        Err(error) => Err(Error::Unavailable {
            dataset: folder.to_string(),
            doing: "list",
            source: error.into(),
        }),
    }
}
