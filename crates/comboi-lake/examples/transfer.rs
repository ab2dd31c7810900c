//! How fast a file gets into a container and back: `scripts/bench --only azure`.
//!
//! Takes the account, the container, its endpoint, the account's key and a Parquet file with the columns `id BIGINT` and `note VARCHAR`.
//! Prints the seconds of a commit with it, and those of fetching what was committed.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a measurement, not part of the program"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use comboi_lake::{Access, Change, Container, Lake, Operation, Remove, Root};
use comboi_project::{Column, Columns, RunId, Secret, SqlType, Stage};

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [account, name, endpoint, key, file] = words.as_slice() else {
        panic!("account, container, endpoint, key and file")
    };
    let root = Root::container(Container {
        account: account.clone(),
        name: name.clone(),
        endpoint: Some(endpoint.clone()),
        access: Access::Credential(Secret::new(key.clone())),
    });
    let place = (root.unwrap(), "{source}/{table}".parse().unwrap());
    let lake = Lake::new(BTreeMap::from([(Stage::Bronze, place)])).unwrap();
    let table = lake.table(&"bronze/bench/file".parse().unwrap());
    let begun = Instant::now();
    let snapshot = table
        .commit(
            None,
            Change {
                pipeline: "bench".parse().unwrap(),
                run: RunId(1),
                chunk: 0,
                operation: Operation::Append,
                columns: Columns(vec![
                    Column::new("id", SqlType::BigInt),
                    Column::new("note", SqlType::Varchar(None)),
                ]),
                add: vec![PathBuf::from(file)],
                remove: Remove::Nothing,
                properties: BTreeMap::new(),
                at: chrono::DateTime::UNIX_EPOCH,
            },
        )
        .await
        .unwrap();
    let up = begun.elapsed();
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    table.local_files(&snapshot, folder.path()).await.unwrap();
    println!(
        "{:.3} {:.3}",
        up.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
}
