//! Models that were trained by Splink give what they give there.

use std::collections::HashMap;

use comboi_linkage::{Settings, SplinkVersion, Way, weight_of};

use crate::given::{Given, all_pairs, data, model};

fn check(name: &str, file: &str, settings: Settings) {
    let given = Given::new();
    let linkage = given.open(file, settings, None).unwrap();
    assert!(
        linkage.ways().iter().all(|it| it.1 == Way::Native),
        "{:?}",
        linkage.ways()
    );
    let pairs = linkage.predict(&all_pairs()).unwrap();
    let ids: Vec<String> = given
        .columns(&data(file), &["unique_id"])
        .into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect();
    let mut names = vec![
        "unique_id_l".to_owned(),
        "unique_id_r".to_owned(),
        "match_key".to_owned(),
        "match_weight".to_owned(),
    ];
    names.extend(
        linkage
            .settings()
            .comparisons
            .iter()
            .map(|it| format!("gamma_{}", it.name)),
    );
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let golden = given.columns(&data(&format!("{name}_pairs.parquet")), &names);
    let mut expected: HashMap<(String, String), Vec<String>> = HashMap::new();
    for row in golden {
        let mut cells = row.into_iter().map(Option::unwrap);
        let pair = (cells.next().unwrap(), cells.next().unwrap());
        expected.insert(pair, cells.collect());
    }
    assert_eq!(pairs.len(), expected.len(), "pairs");
    for i in 0..pairs.len() {
        let id = |row: u32| ids[row as usize].clone();
        let pair = (id(pairs.l[i]), id(pairs.r[i]));
        let found = expected
            .get(&pair)
            .unwrap_or_else(|| panic!("{pair:?} is no pair of Splink's"));
        assert_eq!(found[0], pairs.match_key[i].to_string(), "rule of {pair:?}");
        let gammas: Vec<String> = pairs.gammas(i).iter().map(ToString::to_string).collect();
        assert_eq!(&found[2..], gammas, "levels of {pair:?}");
        let weight: f64 = found[1].parse().unwrap();
        assert!(
            (weight - pairs.weights[i]).abs() <= 1e-9,
            "{pair:?}: {weight} there, {} here",
            pairs.weights[i]
        );
    }
    let clusters = linkage.clusters(&pairs, weight_of(0.95));
    let golden = given.columns(
        &data(&format!("{name}_clusters_0.95.parquet")),
        &["unique_id", "cluster_id"],
    );
    let of: HashMap<String, String> = golden
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
        .collect();
    assert_eq!(of.len(), clusters.len());
    for (id, cluster) in ids.iter().zip(&clusters) {
        assert_eq!(of[id], ids[*cluster as usize], "cluster of {id}");
    }
}

#[test]
fn a_model_of_fake_1000_gives_the_same_pairs_weights_and_clusters() {
    check("fake_1000", "fake_1000.parquet", model("fake_1000"));
}

#[test]
fn another_model_of_fake_1000_does_too() {
    check("fake_1000_acc", "fake_1000.parquet", model("fake_1000_acc"));
}

#[test]
fn a_model_of_febrl3_does_too() {
    check("febrl3", "febrl3.parquet", model("febrl3"));
}

#[test]
fn a_model_that_was_written_and_read_again_is_the_same() {
    for target in [SplinkVersion::V4, SplinkVersion::V5] {
        let before = model("fake_1000");
        let text = before.to_json(target);
        let (after, warnings) = Settings::from_json(&text, &data("fake_1000.model.json")).unwrap();
        assert_eq!(warnings, []);
        check("fake_1000", "fake_1000.parquet", after);
    }
}

#[test]
fn more_records_than_memory_holds_are_refused() {
    // What the engine reads once for each process needs more memory than the records may have here.
    let settings = model("historical_50k");
    drop(Given::within(1 << 30).open("historical_50k.parquet", settings, None));
    // 50,578 records of at least 4 bytes for each of ten columns.
    let given = Given::within(2 << 20);
    let settings = model("historical_50k");
    let refused = given.open("historical_50k.parquet", settings, None).err();
    let said = refused.unwrap().to_string();
    assert!(
        said.starts_with("could not compare 50578 rows (they take "),
        "{said}"
    );
    assert!(
        said.contains("more than the 2 MiB of memory that it may use; raise `engine.memory_limit`"),
        "{said}"
    );
}
