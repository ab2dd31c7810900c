//! Memory, disk and stopping.

use std::thread;

use comboi_engine::{Error, Limits};

use super::Bench;

const BIG_SORT: &str = "SELECT i, md5(i::VARCHAR) AS m, md5((i + 1)::VARCHAR) AS n FROM range(1500000) t(i) ORDER BY m";

#[test]
fn what_does_not_fit_into_memory_is_spilled() {
    let bench = Bench::with(Limits {
        memory_bytes: 64 << 20,
        threads: 2,
        max_spill_bytes: None,
    });
    assert_eq!(bench.build(BIG_SORT, &[]).unwrap().row_count, 1_500_000);
    let left: Vec<_> = std::fs::read_dir(bench.session.scratch())
        .unwrap()
        .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
        .collect();
    assert!(left.is_empty(), "spilled files are gone: {left:?}");
}

#[test]
fn a_full_disk_is_told_apart_from_too_little_memory() {
    let bench = Bench::with(Limits {
        memory_bytes: 64 << 20,
        threads: 1,
        max_spill_bytes: Some(1 << 20),
    });
    let told = bench.build(BIG_SORT, &[]).unwrap_err();
    assert!(matches!(told, Error::DiskFull { .. }), "{told:?}");
    assert!(!bench.path("out.parquet").exists());
    let bench = Bench::with(Limits {
        memory_bytes: 32 << 20,
        threads: 2,
        max_spill_bytes: None,
    });
    let told = bench
        .build(
            "SELECT list(md5(i::VARCHAR)) AS l FROM range(3000000) t(i)",
            &[],
        )
        .unwrap_err();
    assert!(
        matches!(told, Error::OutOfMemory { limit_mib: 32, .. }),
        "{told:?}"
    );
    assert!(told.to_string().contains("engine.memory_limit"), "{told}");
}

#[test]
fn a_running_query_can_be_stopped() {
    let bench = Bench::new();
    let stop = bench.session.interrupter();
    let stopper = thread::spawn(move || {
        // Until the query has begun, stopping would only keep it from beginning.
        thread::sleep(std::time::Duration::from_millis(700));
        stop.stop();
    });
    let told = bench.build("SELECT count(*) AS n FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 1", &[]).unwrap_err();
    stopper.join().unwrap();
    assert!(matches!(told, Error::Interrupted), "{told:?}");
    assert!(!bench.path("out.parquet").exists());
    assert!(
        matches!(bench.build("SELECT 1 AS a", &[]), Err(Error::Interrupted)),
        "nothing new begins"
    );
}

#[test]
fn a_scratch_folder_that_can_not_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        threads: 1,
        max_spill_bytes: None,
    };
    let told = comboi_engine::Session::open(&limits, &file.join("scratch"))
        .err()
        .unwrap();
    assert!(matches!(told, Error::Scratch { .. }), "{told:?}");
}
