use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use comboi_lake::Error;
use comboi_test::{memory, names};

use crate::world::{CLEAN, ORDERS, commit, folder_lake, lake_in, numbers_as, rows, staging};

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_folder_of_any_name_holds_a_lake() {
    for name in [
        "plain",
        "with space",
        "straße 100%",
        "a#b?c&d=e",
        "deep/er/still",
    ] {
        let staging = staging();
        let folder = staging.path().join(name);
        let lake = folder_lake(&folder);
        assert_eq!(lake.datasets().await.unwrap(), [], "{name}");
        assert!(!folder.exists(), "looking makes nothing");
        let table = lake.table(&ORDERS.parse().unwrap());
        assert!(table.snapshot().await.unwrap().is_none());
        for run in 1..=11 {
            commit(&table, staging.append(run, 0, &[i64::from(run)]))
                .await
                .unwrap();
        }
        assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11", "{name}");
        assert!(
            folder
                .join("bronze/shop/orders/_delta_log/00000000000000000010.checkpoint.parquet")
                .exists()
        );
        assert_eq!(
            table.location(),
            folder
                .canonicalize()
                .unwrap()
                .join("bronze/shop/orders")
                .display()
                .to_string()
        );
    }
}

#[tokio::test]
async fn the_datasets_are_those_that_were_committed() {
    let staging = staging();
    for lake in [
        folder_lake(&staging.path().join("lake")),
        crate::world::lake(|_| comboi_lake::Root::store(memory())),
    ] {
        let ids = ["bronze/crm/users", ORDERS, CLEAN, "gold/sales"].map(|id| id.parse().unwrap());
        for id in &ids {
            commit(&lake.table(id), staging.append(1, 0, &[1]))
                .await
                .unwrap();
            commit(&lake.quarantine(id), staging.append(1, 0, &[2]))
                .await
                .unwrap();
        }
        commit(&lake.record("runs"), staging.append(1, 0, &[1]))
            .await
            .unwrap();
        assert_eq!(lake.datasets().await.unwrap(), ids);
        assert_eq!(rows(&lake.quarantine(&ids[0])).await, "2");
        assert_eq!(rows(&lake.record("runs")).await, "1");
    }
}

#[tokio::test]
async fn the_published_file_is_the_file_of_the_current_version() {
    let staging = staging();
    let lake = folder_lake(&staging.path().join("lake"));
    let table = lake.table(&CLEAN.parse().unwrap());
    let place = staging.path().join("lake/silver/refined/clean.parquet");
    let first = commit(&table, staging.replace(1, &[1])).await.unwrap();
    let published = table.publish(&first).await.unwrap().unwrap();
    assert_eq!(
        (published.version, published.location),
        (0, place.canonicalize().unwrap().display().to_string())
    );
    assert_eq!(table.publish(&first).await.unwrap(), None, "once is enough");
    let second = commit(&table, staging.replace(2, &[2])).await.unwrap();
    assert_eq!(table.publish(&second).await.unwrap().unwrap().version, 1);
    let part = table
        .local_files(&second, staging.path())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(inode(&part), inode(&place), "one file, two names");
    assert_eq!(
        table.publish(&first).await.unwrap(),
        None,
        "a late process does not bring back the old"
    );
    assert_eq!(inode(&part), inode(&place));
    fs::remove_file(&place).unwrap();
    assert!(
        table.publish(&second).await.unwrap().is_some(),
        "what is gone is put back"
    );
    fs::remove_file(&place).unwrap();
    numbers_as(&place, &["id"], &[99]);
    assert!(
        table.publish(&second).await.unwrap().is_some(),
        "what is another's is replaced"
    );
    assert_eq!(inode(&part), inode(&place));
    let left: Vec<_> = fs::read_dir(place.with_extension(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with('_') && name != "_delta_log"),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_store_without_links_publishes_a_copy() {
    let store = memory();
    let (lake, staging) = (lake_in(Arc::clone(&store)), staging());
    let table = lake.table(&CLEAN.parse().unwrap());
    let first = commit(&table, staging.replace(1, &[1])).await.unwrap();
    assert_eq!(
        table.publish(&first).await.unwrap().unwrap().location,
        "refined/clean.parquet"
    );
    assert_eq!(table.publish(&first).await.unwrap(), None);
    let second = commit(&table, staging.replace(2, &[2])).await.unwrap();
    assert_eq!(table.publish(&second).await.unwrap().unwrap().version, 1);
    assert_eq!(table.publish(&second).await.unwrap(), None);
    assert!(
        names(store.as_ref())
            .await
            .contains(&"refined/clean.parquet".to_owned())
    );
}

#[tokio::test]
async fn only_a_dataset_of_one_file_is_published() {
    let (lake, staging) = (lake_in(memory()), staging());
    let table = lake.table(&CLEAN.parse().unwrap());
    commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    let two = commit(&table, staging.append(2, 0, &[2])).await.unwrap();
    let answer = table.publish(&two).await.unwrap_err();
    assert!(matches!(answer, Error::Refused { .. }), "{answer}");
    let bronze = lake.table(&ORDERS.parse().unwrap());
    let rows = commit(&bronze, staging.append(1, 0, &[1])).await.unwrap();
    assert_eq!(
        bronze.publish(&rows).await.unwrap(),
        None,
        "the template of bronze publishes nothing"
    );
}

#[tokio::test]
async fn a_staged_file_is_left_where_it_was() {
    let staging = staging();
    let lake = folder_lake(&staging.path().join("lake"));
    let change = staging.append(1, 0, &[1]);
    let staged = change.add[0].clone();
    commit(&lake.table(&ORDERS.parse().unwrap()), change)
        .await
        .unwrap();
    assert!(staged.exists());
}
