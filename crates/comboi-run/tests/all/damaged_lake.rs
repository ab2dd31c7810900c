//! An object of the lake is not what was written: it is told and nothing goes on over it, or it is of no matter. When it is back, all is as if
//! nothing had been: a run that met damage has lost nothing, doubled nothing, and begun nothing anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_lake::{Change, Operation, Remove};
use comboi_project::RunId;
use comboi_test::{Fault, Faulty, Store, contents, copy, memory, put, remove};

use crate::shop::{DAILY, ORDERS, Shop, id, lake, outcomes, rows, run, state};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    CutShort,
    Emptied,
    Zeroed,
    Gone,
    /// One bit of it.
    Flipped,
}

use Damage::{CutShort, Emptied, Flipped, Gone, Zeroed};

const ALL: &[Damage] = &[CutShort, Emptied, Zeroed, Gone];

const LOG: &str = "bronze/shop/orders/_delta_log/";

/// What becomes of a run over a damaged object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// It ends as if there were no damage.
    Well,
    /// Its first task that does not succeed says this.
    Tells(&'static str),
}

/// Object, damage, what a run comes to, what `verify` says before it, whether `repair` mends it.
type Case = (String, &'static [Damage], Run, &'static str, bool);

/// Version 10 has a checkpoint, version 11 is a run's; another day has come.
struct Before {
    shop: Shop,
    store: Store,
    calm: String,
}

impl Before {
    async fn new() -> Self {
        let (shop, store) = (Shop::with_days(1), memory());
        shop.run(&store).await;
        let table = lake(&store).table(&id(ORDERS));
        for number in 1..=10 {
            let base = table.snapshot().await.unwrap().unwrap();
            let note = Change {
                pipeline: "somebody".parse().unwrap(),
                run: RunId(number),
                chunk: 0,
                operation: Operation::Append,
                columns: base.columns.clone(),
                add: Vec::new(),
                remove: Remove::Nothing,
                properties: BTreeMap::from([("note".to_owned(), number.to_string())]),
                at: base.committed_at,
            };
            table.commit(Some(&base), note).await.unwrap();
        }
        shop.add_day(2);
        shop.run(&store).await;
        shop.add_day(3);
        let calm = copy(store.as_ref()).await;
        shop.run(&calm).await;
        Self {
            shop,
            calm: state(&calm).await,
            store,
        }
    }

    async fn check(&self, (object, damages, expected, verify, mends): &Case) {
        for damage in *damages {
            let what = format!("{object} {damage:?}");
            let store = copy(self.store.as_ref()).await;
            let was = damage.does(&store, object).await;
            let before = copy(store.as_ref()).await;

            let told = self.told(&store).await;
            let named = told.iter().any(|told| told.contains(verify));
            assert!(
                named || verify.is_empty() && told.is_empty(),
                "{what}: {told:?}"
            );

            let left = self.shop.runner(Arc::clone(&store)).repair().await.flaws;
            assert_eq!(
                left.is_empty(),
                *mends || verify.is_empty(),
                "{what}: {left:?}"
            );
            if *mends {
                self.ends_calm(&store, &format!("{what}, repaired")).await;
            }

            let report = run(&self.shop.runner(Arc::clone(&before))).await.unwrap();
            let outcomes = outcomes(&report);
            match expected {
                Run::Well => {
                    assert!(report.is_good(), "{what}: {outcomes:?}");
                    assert_eq!(state(&before).await, self.calm, "{what}");
                }
                Run::Tells(text) => {
                    let failed = outcomes.iter().find(|line| line.contains(" failed "));
                    let says = failed.is_some_and(|line| line.contains(text));
                    assert!(says, "{what}: {outcomes:?}");
                    put(before.as_ref(), object, was).await;
                    self.ends_calm(&before, &what).await;
                }
            }
        }
    }

    /// What `verify` finds.
    async fn told(&self, store: &Store) -> Vec<String> {
        let verified = self.shop.runner(Arc::clone(store)).verify().await;
        let flaws = verified.flaws.into_iter();
        flaws
            .map(|flaw| format!("{}: {}", flaw.of, flaw.what))
            .collect()
    }

    async fn ends_calm(&self, store: &Store, what: &str) {
        self.shop.run(store).await;
        assert_eq!(state(store).await, self.calm, "{what}");
    }
}

impl Damage {
    /// Answers what the object was.
    async fn does(self, store: &Store, object: &str) -> bytes::Bytes {
        let mut contents = contents(store.as_ref()).await;
        let names: Vec<String> = contents.keys().cloned().collect();
        let was = contents.remove(object);
        let was = was.unwrap_or_else(|| panic!("{object} is none of {names:#?}"));
        let store = store.as_ref();
        match self {
            CutShort => put(store, object, was.slice(..was.len() / 2)).await,
            Emptied => put(store, object, Vec::new()).await,
            Zeroed => put(store, object, vec![0; was.len()]).await,
            Gone => remove(store, object).await,
            Flipped => {
                let mut bytes = was.to_vec();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 8;
                put(store, object, bytes).await;
            }
        }
        was
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_log() {
    let before = Before::new().await;
    let entry = |version: u64| format!("{LOG}{version:020}.json");
    let unreadable = "of the log entry can't be read";
    let checkpoint = "comboi repair";
    for case in [
        // The newest entry says how far has been read.
        (
            entry(11),
            &[CutShort, Emptied, Zeroed][..],
            Run::Tells(unreadable),
            unreadable,
            false,
        ),
        // As if an older copy had been brought back: its rows come again from where they came from.
        (
            entry(11),
            &[Gone],
            Run::Well,
            "committed version 11, and the lake has 10 only",
            false,
        ),
        // Nobody but a restoration reads what a checkpoint stands for.
        (
            entry(5),
            &[Gone],
            Run::Well,
            "versions 5 to 9, because the log has no entry for version 5",
            false,
        ),
        (
            format!("{LOG}00000000000000000010.checkpoint.parquet"),
            ALL,
            Run::Tells(checkpoint),
            checkpoint,
            true,
        ),
        (format!("{LOG}_last_checkpoint"), ALL, Run::Well, "", false),
    ] {
        before.check(&case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_data() {
    let before = Before::new().await;
    let names = comboi_test::names(before.store.as_ref()).await;
    let part = |folder: &str, run: &str| {
        let starts = format!("{folder}/part-shop-{run}");
        let found = names.iter().find(|name| name.starts_with(&starts));
        found
            .unwrap_or_else(|| panic!("{starts} is none of {names:#?}"))
            .clone()
    };
    let orders = part("bronze/shop/orders", "000000000001");
    let clean = part("silver/refined/orders_clean", "000000000002");
    let wrong_size = "is damaged: a file has";
    let other_bytes = "is damaged: a file has other bytes than were written: its digest differs";
    let missing = "is damaged: a file is missing";
    let in_place = "its file is not where readers";
    for case in [
        (
            orders.clone(),
            &[CutShort, Emptied][..],
            Run::Tells(wrong_size),
            wrong_size,
            false,
        ),
        (
            orders.clone(),
            &[Zeroed],
            Run::Tells(other_bytes),
            "does not end as Parquet files do",
            false,
        ),
        // `verify` reads no file to its end.
        (
            orders.clone(),
            &[Flipped],
            Run::Tells(other_bytes),
            "",
            false,
        ),
        (orders, &[Gone], Run::Tells(missing), missing, false),
        // It is made anew, and nobody reads the old one.
        (
            clean.clone(),
            &[CutShort, Emptied],
            Run::Well,
            wrong_size,
            false,
        ),
        (clean.clone(), &[Flipped], Run::Well, "", false),
        (clean, &[Gone], Run::Well, missing, false),
        (
            "gold/metrics/daily.parquet".to_owned(),
            &[CutShort, Emptied, Gone],
            Run::Well,
            in_place,
            true,
        ),
    ] {
        before.check(&case).await;
    }
}

/// Versions that need an entry of the log that is lost: they are named, and no more once they are given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_entries_that_only_earlier_versions_need() {
    let before = Before::new().await;
    let later = "2024-05-05T00:00:00Z".parse().unwrap();
    for damage in [Gone, CutShort] {
        let store = copy(before.store.as_ref()).await;
        damage.does(&store, &format!("{LOG}{:020}.json", 5)).await;
        let runner = before.shop.runner(Arc::clone(&store));
        let flaws = match damage {
            Gone => runner.verify().await.flaws,
            // `verify` reads no entry that the current version does not need.
            _ => runner.verify_in_depth().await.flaws,
        };
        let [flaw] = &flaws[..] else {
            panic!("{flaws:?}");
        };
        for told in [
            "versions 5 to 9",
            "`comboi vacuum bronze/shop/orders --keep 0d`",
        ] {
            assert!(flaw.what.contains(told), "{flaw:?}");
        }
        let refused = runner
            .restore(&id(ORDERS), 7)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("earlier versions of `bronze/shop/orders` are damaged"),
            "{refused}"
        );
        let again = copy(store.as_ref()).await;
        let runner = before.shop.runner(Arc::clone(&again));
        runner.restore(&id(ORDERS), 4).await.unwrap();
        let keep = std::time::Duration::ZERO;
        comboi_run::vacuum(&lake(&store), &id(ORDERS), keep, later, false)
            .await
            .unwrap();
        let runner = before.shop.runner(Arc::clone(&store));
        assert_eq!(runner.verify_in_depth().await.flaws, [], "{damage:?}");
        before.ends_calm(&store, "vacuumed").await;
    }
}

/// What was lost and is made again is no flaw any more, however the versions are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_again_is_sound() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let older = copy(store.as_ref()).await;
    for _ in 0..2 {
        let runner = shop.runner(Arc::clone(&store));
        let plan = comboi_plan::Plan::of_everything(&runner.project);
        assert!(runner.run(plan, true).await.unwrap().is_good());
    }
    shop.add_day(2);
    shop.run(&store).await;
    let told = async |store: &Store| {
        let flaws = shop.runner(Arc::clone(store)).verify().await.flaws;
        flaws.into_iter().map(|it| it.what).collect::<Vec<_>>()
    };
    let take_away = async |folder: &str| {
        let store = copy(store.as_ref()).await;
        for name in comboi_test::names(store.as_ref()).await {
            if name.starts_with(folder) {
                remove(store.as_ref(), &name).await;
            }
        }
        store
    };
    // A file of a dataset that is built.
    let lost = copy(store.as_ref()).await;
    let file = lake(&lost)
        .table(&id(DAILY))
        .snapshot()
        .await
        .unwrap()
        .unwrap();
    let file = format!("gold/metrics/daily/{}", file.files[0].name);
    remove(lost.as_ref(), &file).await;
    // All of it.
    let taken = take_away("gold/metrics/daily").await;
    for (store, flaw) in [
        (&lost, "a file is missing"),
        (&taken, "the next run builds it again"),
    ] {
        let flaws = told(store).await;
        assert!(flaws.len() == 1 && flaws[0].contains(flaw), "{flaws:?}");
        shop.run(store).await;
        assert_eq!(told(store).await, Vec::<String>::new());
        assert_eq!(rows(store, DAILY).await, TWO_DAYS);
    }
    // A table, and one that an older copy took the place of, once its source has been read again.
    let back = take_away("bronze/shop/orders").await;
    let all = contents(older.as_ref()).await;
    for (name, bytes) in all
        .iter()
        .filter(|(name, _)| name.starts_with("bronze/shop/orders"))
    {
        put(back.as_ref(), name, bytes.clone()).await;
    }
    let flaws = told(&back).await;
    assert!(
        flaws
            .iter()
            .any(|it| it.contains("`comboi reset-checkpoint`")),
        "{flaws:?}"
    );
    let reset = shop.runner(Arc::clone(&back));
    assert!(reset.reset_checkpoint(&id(ORDERS)).await.unwrap());
    assert!(!told(&back).await.is_empty(), "its source was not read yet");
    let taken = take_away("bronze/shop/orders").await;
    for store in [&back, &taken] {
        shop.run(store).await;
        assert_eq!(told(store).await, Vec::<String>::new());
        assert_eq!(rows(store, DAILY).await, TWO_DAYS);
    }
}

/// The only data file of a dataset.
async fn only_part(store: &Store, folder: &str) -> String {
    let starts = format!("{folder}/part-");
    let mut names = comboi_test::names(store.as_ref()).await.into_iter();
    names.find(|name| name.starts_with(&starts)).unwrap()
}

/// What each task that failed says.
fn failures(report: &comboi_run::RunReport) -> Vec<String> {
    let lines = outcomes(report).into_iter();
    let lines = lines.filter(|line| line.contains(" failed 0:"));
    lines.collect()
}

/// By hand, from the files of the shop's first two days.
const TWO_DAYS: [&str; 2] = ["2024-05-01,30.50,2", "2024-05-02,6.25,2"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_bronze_goes_nowhere_and_its_source_is_read_again() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let orders = only_part(&store, "bronze/shop/orders").await;
    Flipped.does(&store, &orders).await;
    shop.add_day(2);
    let report = run(&shop.runner(Arc::clone(&store))).await.unwrap();
    let file = orders.rsplit('/').next().unwrap();
    let [failure] = &failures(&report)[..] else {
        panic!("{:?}", outcomes(&report));
    };
    for told in [
        "`bronze/shop/orders` is damaged",
        "its digest differs",
        file,
        "bring the file back from a backup",
        "`comboi reset-checkpoint --source shop --table orders` and `comboi run all`",
    ] {
        assert!(failure.contains(told), "{failure}");
    }
    assert_eq!(rows(&store, DAILY).await, TWO_DAYS[..1]);

    let deep = shop.runner(Arc::clone(&store)).verify_in_depth().await;
    let [flaw] = &deep.flaws[..] else {
        panic!("{:?}", deep.flaws);
    };
    assert!(flaw.what.contains("its digest differs"), "{flaw:?}");
    assert_eq!(deep.digests.unwrap().not_checked, 0);

    let reset = shop.runner(Arc::clone(&store));
    assert!(reset.reset_checkpoint(&id(ORDERS)).await.unwrap());
    shop.run(&store).await;
    assert_eq!(rows(&store, DAILY).await, TWO_DAYS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_in_silver_goes_nowhere_and_silver_is_built_again() {
    let (shop, store) = (Shop::with_days(2), memory());
    shop.run(&store).await;
    let clean = only_part(&store, "silver/refined/orders_clean").await;
    Flipped.does(&store, &clean).await;
    let daily = shop.read("transformations/sql/daily.sql");
    shop.write(
        "transformations/sql/daily.sql",
        &format!("{daily}-- again\n"),
    );
    let report = run(&shop.runner(Arc::clone(&store))).await.unwrap();
    let told = "`comboi run all --rebuild --select silver/orders_clean`";
    let failures = failures(&report);
    assert!(failures.iter().all(|it| it.contains(told)), "{failures:?}");
    assert_eq!(failures.len(), 1);
    let runner = shop.runner(Arc::clone(&store));
    let everything = comboi_plan::Plan::of_everything(&runner.project);
    let report = runner.run(everything, true).await.unwrap();
    assert!(report.is_good(), "{:?}", outcomes(&report));
    assert_eq!(rows(&store, DAILY).await, TWO_DAYS);
}

/// What is kept beside a dataset, and the record of runs, are read for `verify --deep` too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_anywhere_is_found_in_depth() {
    let (shop, store) = (Shop::strict(2), memory());
    shop.run(&store).await;
    let deduplicated = Shop::compared();
    let beside = memory();
    deduplicated.run(&beside).await;
    let mut parts = 0;
    for (shop, store) in [(shop, store), (deduplicated, beside)] {
        let names = comboi_test::names(store.as_ref()).await;
        for name in names.iter().filter(|name| name.contains("/part-")) {
            parts += 1;
            let was = Flipped.does(&store, name).await;
            let deep = shop.runner(Arc::clone(&store)).verify_in_depth().await;
            let file = name.rsplit('/').next().unwrap();
            let told = deep.flaws.iter().any(|flaw| flaw.what.contains(file));
            assert!(told, "{name}: {:?}", deep.flaws);
            put(store.as_ref(), name, was).await;
        }
        let deep = shop.runner(Arc::clone(&store)).verify_in_depth().await;
        assert_eq!(deep.flaws, []);
    }
    // Orders and what is aside for them, three datasets and what is aside, two records, clusters, pairs.
    assert!(parts >= 12, "only {parts} files");
}

/// DuckDB loses rows by bloom filters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_has_a_bloom_filter() {
    use parquet::file::metadata::ParquetMetaDataReader;
    let (shop, store) = (Shop::strict(2), memory());
    shop.run(&store).await;
    let contents = contents(store.as_ref()).await;
    let files = contents.iter().filter(|(name, _)| name.contains("/part-"));
    let mut columns = 0;
    for (name, bytes) in files {
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(bytes)
            .unwrap();
        for column in footer.row_groups().iter().flat_map(|it| it.columns()) {
            columns += 1;
            assert_eq!(column.bloom_filter_offset(), None, "{name}");
        }
    }
    assert!(columns > 20, "only {columns} columns");
}

/// What was committed and is not there any more at all is not taken for a dataset that never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_whole_dataset() {
    let before = Before::new().await;
    for gone in [LOG, "bronze/shop/orders/"] {
        let store = copy(before.store.as_ref()).await;
        for name in comboi_test::names(store.as_ref()).await {
            if name.starts_with(gone) {
                remove(store.as_ref(), &name).await;
            }
        }
        let told = before.told(&store).await;
        let expected =
            "bronze/shop/orders: run 2 committed version 11, and the lake has nothing of it";
        assert!(
            told.iter().any(|told| told.starts_with(expected)),
            "{told:?}"
        );
        // Its files are still there to be read, once each.
        before.shop.run(&store).await;
        assert_eq!(rows(&store, DAILY).await.len(), 3);
        before.ends_calm(&store, gone).await;
    }
}

/// All that can be mended, by a repair that dies at any write or is lied to about it, and another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_repair_that_dies() {
    let before = Before::new().await;
    let broken = copy(before.store.as_ref()).await;
    for (object, damage) in [
        (
            "bronze/shop/orders/_delta_log/00000000000000000010.checkpoint.parquet",
            Zeroed,
        ),
        ("silver/refined/orders_clean.parquet", Gone),
        ("gold/metrics/daily.parquet", CutShort),
    ] {
        damage.does(&broken, object).await;
    }
    assert_eq!(before.told(&broken).await.len(), 3);
    let counting = Faulty::new(copy(broken.as_ref()).await);
    let runner = before.shop.runner(Arc::clone(&counting) as Store);
    assert_eq!(runner.repair().await.flaws, []);
    // The hint and the checkpoint that go; two files, each with a note.
    assert!(counting.writes() >= 6, "{:?}", counting.log());
    for write in 0..counting.writes() {
        // Dying before a write is dying after the one before it.
        for fault in [Fault::DiesAfter(write), Fault::Lies(write)] {
            let store = copy(broken.as_ref()).await;
            let faulty = Faulty::with(fault, Arc::clone(&store));
            before.shop.runner(faulty as Store).repair().await;
            let left = before.shop.runner(Arc::clone(&store)).repair().await.flaws;
            assert_eq!(left, [], "{fault:?}");
            if let Fault::DiesAfter(_) = fault {
                before.ends_calm(&store, &format!("{fault:?}")).await;
            }
        }
    }
}
