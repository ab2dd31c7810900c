//! For other readers, and for a clock: run with `--run-ignored only --no-capture`.

use std::path::Path;
use std::time::Instant;

use crate::world::{CLEAN, ORDERS, commit, folder_lake, staging};

#[tokio::test]
#[ignore = "leaves a lake in target/tmp/lake for other programs to read, and says how long looking at it takes"]
async fn a_lake_to_look_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lake");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    let (lake, staging) = (folder_lake(&folder), staging());
    let orders = lake.table(&ORDERS.parse().unwrap());
    for run in 1..=15 {
        commit(&orders, staging.append(run, 0, &[i64::from(run)]))
            .await
            .unwrap();
    }
    let clean = lake.table(&CLEAN.parse().unwrap());
    for run in 1..=3 {
        let built = commit(&clean, staging.replace(run, &[i64::from(run)]))
            .await
            .unwrap();
        clean.publish(&built).await.unwrap();
    }
    let began = Instant::now();
    for _ in 0..100 {
        orders.snapshot().await.unwrap();
    }
    let read = began.elapsed() / 100;
    let began = Instant::now();
    for _ in 0..100 {
        orders.latest().await.unwrap();
    }
    println!(
        "{}: {read:?} to read, {:?} for a quick look",
        folder.display(),
        began.elapsed() / 100
    );
}
