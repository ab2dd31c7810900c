//! A process that dies at any write, a storage that lies about any, and then the same work again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use comboi_lake::{Change, Error, Lake, Root, Table};
use comboi_project::RunId;
use comboi_test::{Fault, Faulty, memory, names};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use crate::world::{CLEAN, ORDERS, Staging, commit, day, lake, pipeline, rows, staging};

/// Everything that writes, as a run does it: what is done already is passed over.
async fn work(lake: &Lake, staging: &Staging) -> Result<(), Error> {
    let (orders, clean) = (
        lake.table(&ORDERS.parse().unwrap()),
        lake.table(&CLEAN.parse().unwrap()),
    );
    once(&orders, staging.append(1, 0, &[1, 2])).await?;
    once(&orders, staging.append(2, 0, &[3])).await?;
    once(&orders, staging.append(2, 1, &[4])).await?;
    for run in [1, 2] {
        once(&clean, staging.replace(run, &[i64::from(run) * 10])).await?;
        clean.publish(&clean.snapshot().await?.unwrap()).await?;
    }
    if orders.snapshot().await?.unwrap().last_commit(&pipeline()) < Some((RunId(3), 0)) {
        orders.restore(0, &pipeline(), RunId(3), day(3)).await?;
    }
    once(&orders, staging.append(4, 0, &[5])).await?;
    for table in [&orders, &clean] {
        table.vacuum(Duration::ZERO, day(9), false).await?;
    }
    Ok(())
}

async fn once(table: &Table, change: Change) -> Result<(), Error> {
    match commit(table, change).await {
        Ok(_) | Err(Error::Superseded { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// All that can be seen of a lake. The attempt is left out of the names of files: it differs always.
async fn state(lake: &Lake, store: &dyn ObjectStore) -> String {
    let (orders, clean) = (
        lake.table(&ORDERS.parse().unwrap()),
        lake.table(&CLEAN.parse().unwrap()),
    );
    let mut state = vec![rows(&orders).await, rows(&clean).await];
    for table in [&orders, &clean] {
        let now = table.snapshot().await.unwrap().unwrap();
        let depth = table.flaws_in_depth(&now).await.unwrap();
        assert!(depth.flaws.is_empty(), "{:?}", depth.flaws);
        assert!(depth.checked > 0 && depth.not_checked == 0, "{depth:?}");
        state.push(format!(
            "{} {:?} {:?} {}",
            now.version,
            now.properties,
            now.last_commit(&pipeline()),
            now.oldest_version()
        ));
        assert_eq!(
            table.history(99).await.unwrap().len(),
            usize::try_from(now.version).unwrap() + 1
        );
    }
    let published = clean
        .publish(&clean.snapshot().await.unwrap().unwrap())
        .await
        .unwrap();
    assert_eq!(published, None, "the last version is the published one");
    // A checkpoint of the log is for speed, and a failure to write one is none of the commit.
    let names = names(store)
        .await
        .into_iter()
        .filter(|name| !name.contains("checkpoint"));
    state.extend(names.map(|name| {
        let parts: Vec<&str> = name.split('-').collect();
        match parts.as_slice() {
            [folder, pipeline, run, chunk, _attempt, n] => {
                [*folder, pipeline, run, chunk, n].join("-")
            }
            _ => name.clone(),
        }
    }));
    state.join("\n")
}

struct Place {
    store: Arc<dyn ObjectStore>,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    fn memory() -> Self {
        Self {
            store: memory(),
            folder: None,
        }
    }

    fn folder() -> Self {
        Self {
            store: Arc::new(LocalFileSystem::new()),
            folder: Some(tempfile::tempdir().unwrap()),
        }
    }

    fn lake_through(&self, store: Arc<dyn ObjectStore>) -> Lake {
        lake(|stage| match &self.folder {
            Some(folder) => {
                Root::folder_through(Arc::clone(&store), &folder.path().join(stage.as_str()))
                    .unwrap()
            }
            None => Root::store(Arc::clone(&store)),
        })
    }

    async fn state(&self) -> String {
        let lake = self.lake_through(Arc::clone(&self.store));
        match &self.folder {
            Some(folder) => {
                state(
                    &lake,
                    &LocalFileSystem::new_with_prefix(folder.path()).unwrap(),
                )
                .await
            }
            None => state(&lake, self.store.as_ref()).await,
        }
    }
}

async fn check(place: fn() -> Place, fault: fn(usize) -> Fault) {
    let staging = staging();
    let calm = place();
    work(&calm.lake_through(Arc::clone(&calm.store)), &staging)
        .await
        .unwrap();
    let expected = calm.state().await;
    for write in 0.. {
        let place = place();
        let faulty = Faulty::with(fault(write), Arc::clone(&place.store));
        let first = work(
            &place.lake_through(Arc::clone(&faulty) as Arc<dyn ObjectStore>),
            &staging,
        )
        .await;
        // The next process finds what is there. It may meet a storage that is still not well.
        let again = place.lake_through(Arc::clone(&place.store));
        work(&again, &staging)
            .await
            .unwrap_or_else(|error| panic!("{:?} then {error}", fault(write)));
        assert_eq!(
            place.state().await,
            expected,
            "{:?}: {first:?}\n{}",
            fault(write),
            faulty.log().join("\n")
        );
        if faulty.writes() <= write {
            assert!(write > 12, "only {write} writes were tried");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_before_any_write_leaves_nothing_that_matters() {
    check(Place::memory, Fault::DiesBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_over_a_folder_leaves_nothing_that_matters() {
    check(Place::folder, Fault::DiesBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_after_any_write_leaves_nothing_that_matters() {
    check(Place::memory, Fault::DiesAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_lies_about_a_write_is_not_believed() {
    check(Place::memory, Fault::Lies).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_write_that_meets_itself_is_a_success() {
    check(Place::memory, Fault::Exists).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storage_that_refuses_for_a_while_is_tried_again() {
    check(Place::memory, |write| Fault::Refuses(write, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_counts_once() {
    for fault in [Fault::Lies(1), Fault::Exists(1)] {
        let staging = staging();
        let store = memory();
        let faulty = Faulty::with(fault, Arc::clone(&store));
        let table = crate::world::table_in(Arc::clone(&faulty) as Arc<dyn ObjectStore>, ORDERS);
        let committed = table
            .commit(None, staging.append(1, 0, &[1]))
            .await
            .unwrap();
        assert!(faulty.log()[1].contains("_delta_log"), "{:?}", faulty.log());
        assert_eq!((committed.version, rows(&table).await.as_str()), (0, "1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_can_not_be_written_is_named_with_its_dataset() {
    let staging = staging();
    let in_the_way = staging.path().join("bronze");
    std::fs::write(&in_the_way, "").unwrap();
    let lake = crate::world::folder_lake(staging.path());
    let table = lake.table(&ORDERS.parse().unwrap());
    let answer = table
        .commit(None, staging.append(1, 0, &[1]))
        .await
        .unwrap_err();
    // The folder will not become one by asking again.
    assert!(!comboi_lake::worth_retrying(&answer));
    assert_eq!(
        answer.to_string(),
        "the lake could not write a file of `bronze/shop/orders`"
    );
    assert!(Path::new(&in_the_way).is_file());
}
