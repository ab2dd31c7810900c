//! What people get wrong, and what is stated of records that are out of the ordinary.

use std::path::PathBuf;

use comboi_engine::write_rows;
use comboi_linkage::{Easy, Error, Linkage, Predict, Records, Settings, Training, rules_of_keys};
use comboi_project::{Column, Columns, Likeness};
use serde_json::{Value, json};

use crate::given::{Given, all_pairs, data, place, rules};

struct Table {
    given: Given,
    files: Vec<PathBuf>,
}

/// Records with `id`, `name` and `town`.
fn table(rows: &[[Option<&str>; 3]]) -> Table {
    let given = Given::new();
    let columns = ["id", "name", "town"].map(|name| Column::new(name, "VARCHAR".parse().unwrap()));
    let cells: Vec<Vec<Value>> = rows
        .iter()
        .map(|row| row.iter().map(|it| json!(it)).collect())
        .collect();
    let files = vec![given.folder().join("records.parquet")];
    write_rows(
        &given.session,
        &Columns(columns.to_vec()),
        &cells,
        &files[0],
    )
    .unwrap();
    Table { given, files }
}

impl Table {
    fn easy(&self, comparisons: &[(&str, Likeness)], keys: &[&str]) -> Settings {
        let easy = Easy {
            unique_id: "id".to_owned(),
            keys: keys.iter().map(|it| vec![(*it).to_owned()]).collect(),
            comparisons: comparisons
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), kind.clone()))
                .collect(),
            place: place(),
        };
        easy.settings(&self.given.session).unwrap()
    }

    fn open(&self, settings: Settings, training: Option<&Training>) -> Result<Linkage, Error> {
        let records = Records {
            files: &self.files,
            columns: None,
            blank_is_null: false,
        };
        Linkage::open(&self.given.session, &records, settings, training)
    }
}

const FOUR: [[Option<&str>; 3]; 4] = [
    [Some("d"), Some("Ann"), Some("Ely")],
    [Some("b"), Some("Ann"), Some("Ely")],
    [Some("c"), Some("Bob"), None],
    [Some("a"), None, Some("Ely")],
];

fn refused(result: Result<Linkage, Error>) -> String {
    match result {
        Ok(_) => panic!("it should be refused"),
        Err(e) => e.to_string(),
    }
}

fn read(text: &str) -> Result<(Settings, Vec<String>), String> {
    Settings::from_json(text, "model.json".as_ref())
        .map(|(settings, warnings)| (settings, warnings.iter().map(ToString::to_string).collect()))
        .map_err(|e| e.to_string())
}

#[test]
fn all_that_is_wrong_in_a_file_is_told_at_once_with_its_place() {
    let text = r#"{
  "link_type": "link_some",
  "probability_two_random_records_match": 1.5,
  "sql_dialect": "spark",
  "blocking_rules_to_generate_predictions": ["l.name = r.name", {"blocking_rul": "l.a = r.a"}],
  "comparisons": [
    {"output_column_name": "name", "comparison_levels": [
      {"sql_condition": "ELSE"}, {"sql_condition": "name_l = name_r", "m_probability": "high"}]},
    {"output_column_name": "name", "comparison_levels": []}
  ]
}"#;
    let said = read(text).unwrap_err();
    for wrong in [
        "unknown link type `link_some`\n  model.json:2:16\n  hint: `dedupe_only`, `link_and_dedupe` or `link_only`",
        "`probability_two_random_records_match` should be a number from 0 to 1\n  model.json:3:43",
        "the conditions are spark's SQL; comboi computes them with DuckDB\n  model.json:4:18",
        "a blocking rule without `blocking_rule`\n  model.json:5:65",
        "`m_probability` should be a number from 0 to 1\n  model.json:8:88",
        "`ELSE` is not the last level\n  model.json:8:25",
        "comparison `name` needs at least two levels that are not null levels\n  model.json:9:5",
        "two comparisons are called `name`\n  model.json:9:5",
    ] {
        assert!(said.contains(wrong), "{wrong} is missing in\n{said}");
    }
    assert_eq!(said.matches("error:").count(), 8, "{said}");
    assert!(
        read("{\n \"comparisons\": [,]}")
            .unwrap_err()
            .contains("model.json:2:18")
    );
}

#[test]
fn what_splink_would_not_know_is_a_warning() {
    let text = r#"{"link_type": "dedupe_only", "uniqe_id_column_name": "id", "comparisons": [], "blocking_rules_to_generate_predictions": [{"blocking_rule": "l.a = r.a", "salting_partitions": 4}]}"#;
    let (settings, warnings) = read(text).unwrap();
    assert_eq!(settings.rules.len(), 1);
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert!(
        warning.contains("unknown key `uniqe_id_column_name`")
            && warning.contains("did you mean `unique_id_column_name`?")
            && warning.contains("model.json:1:30"),
        "{warning}"
    );
}

#[test]
fn conditions_that_can_not_be_meant_are_told_at_once() {
    let text = r#"{
  "unique_id_column_name": "id",
  "blocking_rules_to_generate_predictions": ["l.nam = r.name", "name = r.name", "l.name = ", "l.name = (SELECT 1)"],
  "comparisons": [{"output_column_name": "x", "comparison_levels": [
    {"sql_condition": "name_l = town_x"},
    {"sql_condition": "random() < 0.5"},
    {"sql_condition": "levenshtein(name_l, 5) < 2 AND twon_l = twon_r"},
    {"sql_condition": "name_l = name_r"}]}]
}"#;
    let (settings, _) = read(text).unwrap();
    let said = refused(table(&FOUR).open(settings, None));
    for wrong in [
        "the records have no column `nam`\n  model.json:3:46\n  hint: did you mean `name`?",
        "`name` is of neither record\n  model.json:3:64\n  hint: `l.name` and `r.name` are the values of the two records",
        "`l.name = ` is not SQL",
        "the condition `l.name = (SELECT 1)` has a subquery",
        "`town_x` is of neither record\n  model.json:5:23",
        "uses `random`, so that it would be another each time",
        "the records have no column `twon`\n  model.json:7:23\n  hint: did you mean `town`?",
    ] {
        assert!(said.contains(wrong), "{wrong} is missing in\n{said}");
    }
}

#[test]
fn pairs_of_no_level_are_refused() {
    let text = r#"{"unique_id_column_name": "id", "blocking_rules_to_generate_predictions": ["l.name = r.name"],
      "comparisons": [{"output_column_name": "x", "comparison_levels": [{"sql_condition": "name_l = name_r"}, {"sql_condition": "town_l = town_r"}]}]}"#;
    let said = refused(table(&FOUR).open(read(text).unwrap().0, None));
    assert!(
        said.contains("the last level of comparison `x` is not `ELSE`"),
        "{said}"
    );
}

#[test]
fn settings_without_rules_are_refused() {
    let table = table(&FOUR);
    let said = refused(table.open(
        Settings {
            rules: Vec::new(),
            ..table.easy(&[("name", Likeness::Exact)], &["name"])
        },
        None,
    ));
    assert!(said.contains("there is no blocking rule"), "{said}");
    let said = refused(table.open(
        Settings {
            unique_id: "idd".to_owned(),
            ..table.easy(&[("name", Likeness::Exact)], &["name"])
        },
        None,
    ));
    assert!(
        said.contains("no column `idd`, which should tell them apart"),
        "{said}"
    );
}

#[test]
fn ids_must_tell_records_apart() {
    let some = |id| [id, Some("Ann"), Some("Ely")];
    let table = table(&[
        some(Some("a")),
        some(Some("b")),
        some(Some("a")),
        some(Some("a")),
        some(None),
        some(None),
    ]);
    match table.open(table.easy(&[], &["name"]), None) {
        Err(Error::Ids { repeated, null, .. }) => assert_eq!((repeated, null), (1, 2)),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn rules_that_explode_are_refused_before_they_run() {
    let table = table(&FOUR);
    let linkage = table
        .open(
            table.easy(&[("name", Likeness::Name)], &["town", "name"]),
            None,
        )
        .unwrap();
    let counted: Vec<(u64, u64)> = linkage
        .rules()
        .unwrap()
        .iter()
        .map(|it| (it.pairs, it.largest_key_rows))
        .collect();
    assert_eq!(counted, [(3, 3), (1, 2)]);
    let said = linkage
        .predict(&Predict {
            pairs_budget: Some(3),
            ..all_pairs()
        })
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("4 pairs to compare, more than the budget of 3"),
        "{said}"
    );
    assert!(
        said.contains("3 pairs by `l.town = r.town`, whose most frequent key has 3 records"),
        "{said}"
    );
}

#[test]
fn few_records_or_none_are_no_mistake() {
    for rows in [&FOUR[..0], &FOUR[..1]] {
        let table = table(rows);
        let training = Training {
            deterministic_rules: rules(&["l.name = r.name"]),
            em_rules: rules(&["l.town = r.town"]),
            ..Training::default()
        };
        let mut linkage = table
            .open(
                table.easy(
                    &[("name", Likeness::Name), ("town", Likeness::Exact)],
                    &["name"],
                ),
                Some(&training),
            )
            .unwrap();
        let report = linkage.train(&training).unwrap();
        assert_eq!(
            report.warnings,
            ["there are fewer than two rows, so nothing is learned"]
        );
        let pairs = linkage.predict(&all_pairs()).unwrap();
        assert!(pairs.is_empty());
        assert_eq!(linkage.clusters(&pairs, 0.0).len(), rows.len());
    }
}

#[test]
fn rules_that_find_nothing_teach_nothing() {
    let table = table(&FOUR);
    let training = Training {
        deterministic_rules: rules(&["l.name = r.town"]),
        em_rules: rules(&["l.town = r.name"]),
        ..Training::default()
    };
    let settings = table.easy(&[("name", Likeness::Exact)], &["name"]);
    let mut linkage = table.open(settings, Some(&training)).unwrap();
    let report = linkage.train(&training).unwrap();
    for wanted in [
        "the deterministic rules find no pair",
        "nothing is learned of the training rule",
    ] {
        let told = report.warnings.iter().any(|it| it.contains(wanted));
        assert!(told, "{wanted} is missing in {:?}", report.warnings);
    }
}

#[test]
fn a_column_of_nothing_says_nothing_and_is_told_of() {
    let rows: Vec<[Option<&str>; 3]> = vec![
        [Some("a"), Some("Ann"), None],
        [Some("b"), Some("Ann"), None],
        [Some("c"), Some("Bob"), None],
    ];
    let table = table(&rows);
    let training = Training {
        em_rules: rules(&["l.name = r.name"]),
        ..Training::default()
    };
    let mut linkage = table
        .open(
            table.easy(
                &[("name", Likeness::Exact), ("town", Likeness::Name)],
                &["name"],
            ),
            Some(&training),
        )
        .unwrap();
    let report = linkage.train(&training).unwrap();
    assert!(
        report.warnings.iter().any(|it| it.contains(
            "comparison `town`: of 3 pairs taken by chance none has a value in both records"
        )),
        "{:?}",
        report.warnings
    );
    let pairs = linkage.predict(&all_pairs()).unwrap();
    assert_eq!(pairs.gammas(0), [1, -1]);
    let bars = linkage.explain("b", "a").unwrap().bars;
    assert_eq!(
        (bars[1].weight, bars[1].label.as_str()),
        (0.0, "town is NULL")
    );
}

#[test]
fn training_that_does_not_come_to_rest_is_told_of() {
    let given = Given::new();
    let training = Training {
        em_rules: rules(&["l.dob = r.dob"]),
        ..Training::default()
    };
    let settings = Settings {
        max_iterations: 2,
        ..crate::given::model("fake_1000")
    };
    let mut linkage = given
        .open("fake_1000.parquet", settings, Some(&training))
        .unwrap();
    let report = linkage.train(&training).unwrap();
    assert!(!report.sessions[0].converged);
    assert!(
        report
            .warnings
            .iter()
            .any(|it| it.contains("did not come to rest within 2 rounds")),
        "{:?}",
        report.warnings
    );
}

#[test]
fn fixed_parameters_stay() {
    let given = Given::new();
    let training = Training {
        em_rules: rules(&["l.dob = r.dob"]),
        ..Training::default()
    };
    let mut settings = crate::given::model("fake_1000");
    let level = &mut settings.comparisons[0].levels[1];
    (level.m, level.u, level.fix_m, level.fix_u) = (Some(0.125), Some(0.25), true, true);
    let mut linkage = given
        .open("fake_1000.parquet", settings, Some(&training))
        .unwrap();
    linkage.train(&training).unwrap();
    let levels = &linkage.settings().comparisons[0].levels;
    assert_eq!((levels[1].m, levels[1].u), (Some(0.125), Some(0.25)));
    assert_ne!(
        levels[2].m,
        crate::given::model("fake_1000").comparisons[0].levels[2].m
    );
}

#[test]
fn keys_alone_make_clusters() {
    let table = table(&FOUR);
    let linkage = table.open(table.easy(&[], &["lower(name)"]), None).unwrap();
    // Row 1 (`b`) has a smaller id than row 0 (`d`).
    assert_eq!(linkage.clusters_by_rules(None).unwrap(), [1, 1, 2, 3]);
    let linkage = table
        .open(table.easy(&[], &["name", "town"]), None)
        .unwrap();
    assert_eq!(linkage.clusters_by_rules(None).unwrap(), [3, 3, 2, 3]);
}

#[test]
fn a_weight_is_explained_step_by_step() {
    let given = Given::new();
    let linkage = given
        .open("fake_1000.parquet", crate::given::model("fake_1000"), None)
        .unwrap();
    let pairs = linkage.predict(&all_pairs()).unwrap();
    let ids = given.columns(&data("fake_1000.parquet"), &["unique_id"]);
    let id = |row: u32| ids[row as usize][0].clone().unwrap();
    for i in (0..pairs.len()).step_by(400) {
        let waterfall = linkage.explain(&id(pairs.r[i]), &id(pairs.l[i])).unwrap();
        assert!((waterfall.weight - pairs.weights[i]).abs() < 1e-9);
        let sum: f64 = waterfall
            .bars
            .iter()
            .map(|it| it.weight + it.term_frequency_weight)
            .sum();
        assert!((waterfall.prior + sum - waterfall.weight).abs() < 1e-9);
        assert_eq!(
            waterfall.bars.iter().map(|it| it.gamma).collect::<Vec<_>>(),
            pairs.gammas(i)
        );
    }
    assert!(matches!(
        linkage.explain("1", "no such id"),
        Err(Error::NoSuchRecord { .. })
    ));
}

#[test]
fn keys_that_are_no_sql_are_told_of() {
    let given = Given::new();
    let easy = Easy {
        unique_id: "id".to_owned(),
        keys: vec![
            vec!["sub(".to_owned()],
            vec![],
            vec!["(SELECT 1)".to_owned()],
        ],
        comparisons: Vec::new(),
        place: place(),
    };
    let said = easy.settings(&given.session).unwrap_err().to_string();
    for wrong in [
        "the key `sub(` is not SQL",
        "a key without columns",
        "the key `(SELECT 1)` has a subquery",
    ] {
        assert!(said.contains(wrong), "{said}");
    }
}

#[test]
fn tables_are_linked_by_the_column_that_tells_them_apart() {
    let text = |column: &str| {
        format!(
            r#"{{"link_type": "link_only", "source_dataset_column_name": "{column}", "unique_id_column_name": "id", "probability_two_random_records_match": 0.5,
            "blocking_rules_to_generate_predictions": ["l.name = r.name"],
            "comparisons": [{{"output_column_name": "name", "comparison_levels": [
                {{"sql_condition": "name_l = name_r", "m_probability": 0.9, "u_probability": 0.1}},
                {{"sql_condition": "ELSE", "m_probability": 0.1, "u_probability": 0.9}}]}}]}}"#
        )
    };
    let said = refused(table(&FOUR).open(read(&text("source_dataset")).unwrap().0, None));
    for wrong in [
        "no column `source_dataset`, which says for `link_only` what table each is from",
        "UNION ALL BY NAME",
    ] {
        assert!(said.contains(wrong), "{said}");
    }
    // Two towns' books, each of which has a name twice.
    let rows = [
        ["1", "Ann", "Ely"],
        ["2", "Ann", "Ely"],
        ["3", "Ann", "Rye"],
        ["4", "Bob", "Ely"],
        ["5", "Bob", "Rye"],
        ["6", "Bob", "Rye"],
    ];
    let table = table(&rows.map(|row| row.map(Some)));
    let training = Training {
        deterministic_rules: rules(&["l.name = r.name"]),
        recall: 0.5,
        ..Training::default()
    };
    let mut linkage = table
        .open(read(&text("town")).unwrap().0, Some(&training))
        .unwrap();
    assert!(
        linkage
            .ways()
            .iter()
            .all(|it| it.1 == comboi_linkage::Way::Native)
    );
    let pairs = linkage.predict(&all_pairs()).unwrap();
    let found: Vec<(u32, u32)> = pairs
        .l
        .iter()
        .copied()
        .zip(pairs.r.iter().copied())
        .collect();
    assert_eq!(found, [(0, 2), (1, 2), (3, 4), (3, 5)]);
    // Four of the nine pairs that one of each town makes, and as many again that the rule does not find.
    let lambda = linkage
        .estimate_lambda(&training, &mut Vec::new())
        .unwrap()
        .unwrap();
    assert_eq!((lambda.pairs, lambda.all_pairs), (4, 9.0));
    assert!((lambda.after - 8.0 / 9.0).abs() < 1e-12, "{lambda:?}");
    // Of those nine, four have the same name.
    linkage.train(&training).unwrap();
    let u = linkage.settings().comparisons[0].levels[0].u.unwrap();
    assert!((u - 4.0 / 9.0).abs() < 1e-12, "{u}");
}

#[test]
fn records_that_say_little_weigh_little_beside_themselves() {
    let text = r#"{"unique_id_column_name": "id", "probability_two_random_records_match": 0.5, "blocking_rules_to_generate_predictions": ["l.name = r.name"],
        "comparisons": [{"output_column_name": "name", "comparison_levels": [
            {"sql_condition": "name_l IS NULL OR name_r IS NULL", "is_null_level": true},
            {"sql_condition": "name_l = name_r", "m_probability": 0.8, "u_probability": 0.1},
            {"sql_condition": "ELSE", "m_probability": 0.2, "u_probability": 0.9}]},
          {"output_column_name": "town", "comparison_levels": [
            {"sql_condition": "town_l IS NULL OR town_r IS NULL", "is_null_level": true},
            {"sql_condition": "town_l = town_r", "m_probability": 0.5, "u_probability": 0.125},
            {"sql_condition": "ELSE", "m_probability": 0.5, "u_probability": 0.875}]}]}"#;
    let linkage = table(&FOUR).open(read(text).unwrap().0, None).unwrap();
    // Eight times as likely for a name, four times for a town; nothing else was known before.
    assert_eq!(linkage.self_weights().unwrap(), [5.0, 5.0, 3.0, 2.0]);
}

/// The first letter of a town is computed once for each town, and once for there being none.
#[test]
fn what_is_computed_from_a_column_knows_its_nulls() {
    let text = r#"{"unique_id_column_name": "id", "probability_two_random_records_match": 0.5, "blocking_rules_to_generate_predictions": ["l.name = r.name"],
        "comparisons": [{"output_column_name": "town", "comparison_levels": [
            {"sql_condition": "town_l = town_r", "m_probability": 0.5, "u_probability": 0.1},
            {"sql_condition": "coalesce(substr(town_l, 1, 1), '?') = coalesce(substr(town_r, 1, 1), '?')", "m_probability": 0.3, "u_probability": 0.2},
            {"sql_condition": "ELSE", "m_probability": 0.2, "u_probability": 0.7}]}]}"#;
    let check = |towns: &[Option<&str>], expected: &[i8]| {
        let ids: Vec<String> = (0..towns.len()).map(|i| i.to_string()).collect();
        let rows: Vec<[Option<&str>; 3]> = ids
            .iter()
            .zip(towns)
            .map(|(id, town)| [Some(id.as_str()), Some("ann"), *town])
            .collect();
        let linkage = table(&rows).open(read(text).unwrap().0, None).unwrap();
        assert_eq!(linkage.predict(&all_pairs()).unwrap().gammas, expected);
    };
    check(&[None, None], &[1]);
    check(&[None, Some("york"), Some("yarm")], &[0, 0, 1]);
    check(
        &[Some("york"), None, Some("york"), None],
        &[0, 2, 0, 0, 1, 0],
    );
}

impl Table {
    /// The pairs that the rules of settings give, by id.
    fn pairs(&self, settings: Settings, blank_is_null: bool) -> String {
        let records = Records {
            files: &self.files,
            columns: None,
            blank_is_null,
        };
        let linkage = Linkage::open(&self.given.session, &records, settings, None).unwrap();
        let pairs = linkage.predict(&all_pairs()).unwrap();
        let id = |row: u32| char::from(b'a' + u8::try_from(row).unwrap());
        let pair = |i: usize| format!("{}{}", id(pairs.l[i]), id(pairs.r[i]));
        let mut all: Vec<String> = (0..pairs.len()).map(pair).collect();
        all.sort();
        all.join(" ")
    }
}

/// `b` and `d` are called Ann; what the others share is white space.
#[test]
fn blank_texts_agree_with_nothing() {
    let table = table(&[
        [Some("a"), Some("\t"), Some("Ely")],
        [Some("b"), Some("Ann"), Some("\u{a0}")],
        [Some("c"), Some("\t"), Some("\u{a0}")],
        [Some("d"), Some("Ann"), Some("Ely")],
        [Some("e"), Some("\n "), Some("\u{200b}")],
        [Some("f"), Some("\n "), Some("\u{200b}")],
    ]);
    let town = [("town", Likeness::Exact)];
    assert_eq!(table.pairs(table.easy(&town, &["name"]), true), "bd");
    // An expression gives blanks that no column has.
    let keys = ["replace(name, 'Ann', ' ')"];
    assert_eq!(table.pairs(table.easy(&town, &keys), true), "");
    // Keys beside a model of Splink's, whose rows are as they are.
    let columns = ["id", "name", "town"].map(|name| Column::new(name, "VARCHAR".parse().unwrap()));
    let columns = Columns(columns.to_vec());
    let keys = [vec!["name".to_owned()]];
    let beside = |columns| Settings {
        rules: rules_of_keys(&table.given.session, &keys, columns, &place()).unwrap(),
        ..table.easy(&town, &["name"])
    };
    assert_eq!(table.pairs(beside(Some(&columns)), false), "bd");
    assert_eq!(table.pairs(beside(None), false), "ac bd ef");
}

#[test]
fn a_key_that_asks_for_the_time_is_refused() {
    let given = Given::new();
    for key in [
        "ago(INTERVAL 1 DAY)",
        "uuidv7()",
        "name || current_setting('threads')",
    ] {
        let keys = [vec![key.to_owned()]];
        let said = rules_of_keys(&given.session, &keys, None, &place()).unwrap_err();
        assert!(
            said.to_string()
                .contains("so that it would be another each time"),
            "{said}"
        );
    }
}
