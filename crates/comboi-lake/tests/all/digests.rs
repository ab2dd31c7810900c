//! Bytes that are not the ones that were written are found before anybody reads them as rows.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use comboi_lake::{Error, Table};
use comboi_project::RunId;
use comboi_test::{Store, contents, get, memory, names, put, remove};
use serde_json::Value;

use crate::world::{CLEAN, ORDERS, commit, day, folder_lake, pipeline, rows, staging, table_in};

const LOG: &str = "shop/orders/_delta_log";
const DIFFERS: &str = "a file has other bytes than were written: its digest differs";

/// The one data file of a dataset whose name begins so.
async fn part(store: &Store, starts: &str) -> String {
    let names = names(store.as_ref()).await;
    let mut parts = names.into_iter().filter(|name| name.starts_with(starts));
    let part = parts.next().unwrap();
    assert_eq!(parts.next(), None);
    part
}

async fn flip(store: &Store, name: &str, byte: usize) {
    let mut bytes = contents(store.as_ref()).await[name].to_vec();
    bytes[byte] ^= 1 << (byte % 8);
    put(store.as_ref(), name, bytes).await;
}

/// What reading the newest version says.
async fn reading(table: &Table) -> String {
    let snapshot = table.snapshot().await.unwrap().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    match table.local_files(&snapshot, scratch.path()).await {
        Ok(_) => "fine".to_owned(),
        Err(error) => {
            assert!(!comboi_lake::worth_retrying(&error));
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            // Nothing of the file is left to be taken for it.
            assert!(files_below(scratch.path()) < snapshot.files.len());
            error.to_string()
        }
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path()),
            false => 1,
        })
        .sum()
}

async fn in_depth(table: &Table) -> String {
    let snapshot = table.snapshot().await.unwrap().unwrap();
    let depth = table.flaws_in_depth(&snapshot).await.unwrap();
    let flaws: Vec<String> = depth.flaws.iter().map(Error::to_string).collect();
    let counts = format!("{} checked, {} not", depth.checked, depth.not_checked);
    [counts]
        .into_iter()
        .chain(flaws)
        .collect::<Vec<_>>()
        .join("; ")
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_when_a_file_is_fetched() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    commit(&table, staging.append(1, 0, &[1, 2, 3]))
        .await
        .unwrap();
    let name = part(&store, "shop/orders/part-").await;
    let size = contents(store.as_ref()).await[&name].len();
    for byte in 0..size {
        flip(&store, &name, byte).await;
        let told = reading(&table).await;
        assert!(told.contains(DIFFERS), "byte {byte}: {told}");
        flip(&store, &name, byte).await;
    }
    assert_eq!(reading(&table).await, "fine");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_in_a_folder() {
    let staging = staging();
    let (folder, orders) = (tempfile::tempdir().unwrap(), ORDERS.parse().unwrap());
    let table = || folder_lake(folder.path()).table(&orders);
    commit(&table(), staging.append(1, 0, &[1, 2, 3]))
        .await
        .unwrap();
    let snapshot = table().snapshot().await.unwrap().unwrap();
    let files = table().local_files(&snapshot, folder.path()).await.unwrap();
    let was = fs::read(&files[0]).unwrap();
    for byte in 0..was.len() {
        let mut now = was.clone();
        now[byte] ^= 1 << (byte % 8);
        fs::write(&files[0], now).unwrap();
        let told = reading(&table()).await;
        assert!(told.contains(DIFFERS), "byte {byte}: {told}");
    }
    fs::write(&files[0], was).unwrap();
    assert_eq!(reading(&table()).await, "fine");
}

#[tokio::test]
async fn the_error_says_where_and_what_to_do() {
    let (store, staging) = (memory(), staging());
    for (dataset, folder, way_out) in [
        (
            ORDERS,
            "shop/orders/part-",
            "bring the file back from a backup; without one, see `comboi history bronze/shop/orders` for a version to `comboi restore` that does not have the file, or read the source again as a whole: `comboi reset-checkpoint --source shop --table orders` and `comboi run all`",
        ),
        (
            CLEAN,
            "refined/clean/part-",
            "bring the file back from a backup; without one, build the dataset again: `comboi run all --rebuild --select silver/clean`",
        ),
    ] {
        let table = table_in(Arc::clone(&store), dataset);
        commit(&table, staging.replace(1, &[1])).await.unwrap();
        let name = part(&store, folder).await;
        flip(&store, &name, 100).await;
        let file = name.rsplit('/').next().unwrap();
        assert_eq!(
            reading(&table).await,
            format!("`{dataset}` is damaged: {DIFFERS} (`{file}`); {way_out}")
        );
    }
}

/// The log's checkpoint, which other code writes, and the entries that it stands for.
#[tokio::test]
async fn digests_outlive_a_checkpoint_of_the_log() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    for run in 1..=12 {
        let change = staging.append(run, 0, &[i64::from(run)]);
        commit(&table, change).await.unwrap();
    }
    for version in 0..10 {
        remove(store.as_ref(), &format!("{LOG}/{version:020}.json")).await;
    }
    assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11 12");
    assert_eq!(in_depth(&table).await, "12 checked, 0 not");
    let first = part(&store, "shop/orders/part-shop-000000000001").await;
    flip(&store, &first, 77).await;
    assert!(reading(&table).await.contains(DIFFERS));
    assert!(in_depth(&table).await.contains(DIFFERS));
}

/// Rewrites a line of the log's entry 0, as another program may have written it.
async fn rewrite_entry(store: &Store, change: impl Fn(&mut Value)) -> Value {
    let name = format!("{LOG}/{:020}.json", 0);
    let entry = get(store.as_ref(), &name).await.unwrap().unwrap();
    let entry = String::from_utf8(entry.to_vec()).unwrap();
    let (mut lines, mut changed) = (Vec::new(), Value::Null);
    for line in entry.lines() {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(add) = action.get_mut("add") {
            change(add);
            changed = add.clone();
        }
        lines.push(action.to_string());
    }
    put(store.as_ref(), &name, lines.join("\n")).await;
    changed
}

async fn added_in(store: &Store, version: u64) -> Value {
    let name = format!("{LOG}/{version:020}.json");
    let entry = get(store.as_ref(), &name).await.unwrap().unwrap();
    let entry = String::from_utf8(entry.to_vec()).unwrap();
    let actions = entry
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut adds = actions.filter_map(|action: Value| action.get("add").cloned());
    adds.next().unwrap()
}

#[tokio::test]
async fn what_was_said_of_a_file_comes_back_with_it() {
    // Before and after a checkpoint of the log.
    for commits in [1, 12] {
        let (store, staging) = (memory(), staging());
        let table = table_in(Arc::clone(&store), ORDERS);
        commit(&table, staging.append(1, 0, &[5, 6])).await.unwrap();
        let before = rewrite_entry(&store, |add| {
            add["tags"]["INSERTION_TIME"] = "1677811178336000".into();
            add["tags"]["EMPTY"] = Value::Null;
            add["modificationTime"] = 1_600_000_000_000_u64.into();
        })
        .await;
        for run in 2..2 + commits {
            let change = staging.append(run, 0, &[i64::from(run)]);
            commit(&table, change).await.unwrap();
        }
        let run = 2 + commits;
        commit(&table, staging.replace(run, &[9])).await.unwrap();
        let restored = table
            .restore(0, &pipeline(), RunId(run + 1), day(99))
            .await
            .unwrap();
        let mut after = added_in(&store, restored.version).await;
        // The row counts and bounds are the same, in whatever order they are written.
        let stats = |add: &Value| -> Value {
            serde_json::from_str(add["stats"].as_str().unwrap()).unwrap()
        };
        assert_eq!(stats(&after), stats(&before), "{commits}");
        after["stats"] = before["stats"].clone();
        for absent in ["partitionValues", "dataChange"] {
            assert_eq!(after[absent], before[absent]);
        }
        let told = |add: &Value| {
            let fields = add.as_object().unwrap().iter();
            let mut fields: Vec<String> = fields
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            fields.sort();
            fields
        };
        after["tags"]["EMPTY"] = Value::Null;
        let mut tags = after["tags"].as_object().unwrap().clone();
        tags.sort_keys();
        after["tags"] = Value::Object(tags);
        let mut expected = before.clone();
        let mut tags = expected["tags"].as_object().unwrap().clone();
        tags.sort_keys();
        expected["tags"] = Value::Object(tags);
        assert_eq!(told(&after), told(&expected), "{commits}");
        assert_eq!(rows(&table).await, "5 6");
        assert!(in_depth(&table).await.ends_with("checked, 0 not"));
    }
}

#[tokio::test]
async fn files_without_a_digest_are_read_and_counted() {
    for tags in [
        Value::Null,
        serde_json::json!({}),
        serde_json::json!({ "comboi.digest": "sha256:00" }),
        serde_json::json!({ "comboi.digest": null }),
    ] {
        let (store, staging) = (memory(), staging());
        let table = table_in(Arc::clone(&store), ORDERS);
        commit(&table, staging.append(1, 0, &[1])).await.unwrap();
        rewrite_entry(&store, |add| add["tags"] = tags.clone()).await;
        commit(&table, staging.append(2, 0, &[2])).await.unwrap();
        assert_eq!(in_depth(&table).await, "1 checked, 1 not");
        assert_eq!(rows(&table).await, "1 2");
        let first = part(&store, "shop/orders/part-shop-000000000001").await;
        flip(&store, &first, 77).await;
        assert_eq!(reading(&table).await, "fine");
    }
}

#[tokio::test]
async fn files_of_earlier_versions_are_looked_at_in_depth() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    for run in 1..=3 {
        let change = staging.replace(run, &[i64::from(run)]);
        commit(&table, change).await.unwrap();
    }
    assert_eq!(in_depth(&table).await, "3 checked, 0 not");
    let second = part(&store, "shop/orders/part-shop-000000000002").await;
    flip(&store, &second, 50).await;
    assert_eq!(reading(&table).await, "fine");
    assert!(
        in_depth(&table)
            .await
            .starts_with("3 checked, 0 not; earlier versions of `bronze/shop/orders` are damaged")
    );
    remove(store.as_ref(), &second).await;
    assert!(in_depth(&table).await.contains("a file is missing"));
    // What is vacuumed is not asked for.
    table.vacuum(Duration::ZERO, day(9), false).await.unwrap();
    assert_eq!(in_depth(&table).await, "1 checked, 0 not");
}

#[tokio::test]
async fn a_damaged_file_is_not_published_and_not_restored() {
    let staging = staging();
    let (folder, clean) = (tempfile::tempdir().unwrap(), CLEAN.parse().unwrap());
    let table = || folder_lake(folder.path()).table(&clean);
    let first = commit(&table(), staging.replace(1, &[1])).await.unwrap();
    let files = table().local_files(&first, folder.path()).await.unwrap();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[60] ^= 4;
    fs::write(&files[0], bytes).unwrap();
    let published = table().publish(&first).await.unwrap_err();
    assert!(published.to_string().contains(DIFFERS), "{published}");
    assert!(!folder.path().join("silver/refined/clean.parquet").exists());
    let second = commit(&table(), staging.replace(2, &[2])).await.unwrap();
    table().publish(&second).await.unwrap();
    let restored = table().restore(0, &pipeline(), RunId(3), day(3)).await;
    let restored = restored.unwrap_err().to_string();
    assert!(restored.contains(DIFFERS), "{restored}");
    assert_eq!(rows(&table()).await, "2");
}

#[tokio::test]
async fn a_published_copy_is_looked_at_in_depth() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), CLEAN);
    let snapshot = commit(&table, staging.replace(1, &[1])).await.unwrap();
    table.publish(&snapshot).await.unwrap();
    assert_eq!(in_depth(&table).await, "1 checked, 0 not");
    flip_keeping_its_tag(&store, "refined/clean.parquet").await;
    assert_eq!(
        in_depth(&table).await,
        "1 checked, 0 not; the file `refined/clean.parquet` has other bytes than the file of `silver/clean` that it is a copy of; delete it: `comboi repair` then publishes it again"
    );
    remove(store.as_ref(), "refined/clean.parquet").await;
    table.publish(&snapshot).await.unwrap();
    assert_eq!(in_depth(&table).await, "1 checked, 0 not");
}

/// A store in memory gives what is written a new tag; the disk of a service does not. The note beside the
/// log is made to say the new one.
async fn flip_keeping_its_tag(store: &Store, name: &str) {
    flip(store, name, 33).await;
    let key = object_store::path::Path::parse(name).unwrap();
    let now = object_store::ObjectStoreExt::head(store, &key)
        .await
        .unwrap();
    let names = names(store.as_ref()).await;
    let note = names.iter().find(|name| name.ends_with("_published.json"));
    let note = note.unwrap_or_else(|| panic!("no note among {names:#?}"));
    let noted = get(store.as_ref(), note).await.unwrap().unwrap();
    let mut noted: Value = serde_json::from_slice(&noted).unwrap();
    noted["etag"] = now.e_tag.into();
    noted["modified"] = now.last_modified.timestamp_millis().into();
    put(store.as_ref(), note, noted.to_string()).await;
}

/// One command reads a file of a folder once for its digest, until the file changes.
#[tokio::test]
async fn a_file_that_was_checked_is_not_read_again_by_the_same_lake() {
    let staging = staging();
    let (folder, orders) = (tempfile::tempdir().unwrap(), ORDERS.parse().unwrap());
    let lake = || folder_lake(folder.path());
    let this = lake().table(&orders);
    let snapshot = commit(&this, staging.append(1, 0, &[1])).await.unwrap();
    let files = this.local_files(&snapshot, folder.path()).await.unwrap();
    let written = fs::metadata(&files[0]).unwrap().modified().unwrap();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[60] ^= 4;
    fs::write(&files[0], bytes).unwrap();
    let set = |time| {
        File::options()
            .append(true)
            .open(&files[0])
            .unwrap()
            .set_modified(time)
    };
    set(written).unwrap();
    assert_eq!(reading(&this).await, "fine");
    assert!(reading(&lake().table(&orders)).await.contains(DIFFERS));
    set(written + Duration::from_secs(1)).unwrap();
    assert!(reading(&this).await.contains(DIFFERS));
}
