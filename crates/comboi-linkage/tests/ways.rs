//! What is compared natively is what DuckDB would say, condition by condition.

use std::path::PathBuf;

use comboi_engine::write_rows;
use comboi_linkage::{Comparison, Level, LinkType, Linkage, Pairs, Records, Rule, Settings, Way};
use comboi_project::{Column, Columns};
use serde_json::{Value, json};

use crate::given::{Given, all_pairs, place};

const COLUMNS: [(&str, &str); 10] = [
    ("id", "INTEGER"),
    ("a", "VARCHAR"),
    ("b", "VARCHAR"),
    ("born", "DATE"),
    ("seen", "TIMESTAMP"),
    ("small", "INTEGER"),
    ("big", "BIGINT"),
    ("real", "DOUBLE"),
    ("money", "DECIMAL(9,2)"),
    ("tags", "VARCHAR[]"),
];

/// Rows that hold what is awkward: NULLs, empty and long texts, bytes beyond ASCII, NaN, both zeros.
fn rows() -> Vec<Vec<Value>> {
    let texts = [
        "",
        "a",
        "martha",
        "marhta",
        "dixon",
        "dicksonx",
        "jones",
        "johnson",
        "é",
        "e",
        "ca",
        "abc",
        "acb",
        "café au lait",
        "cafe au lait",
        "1987",
        "a@b.c",
        "anna@b.c",
        "a text of more than sixty-four bytes, so that the long way round has to be taken by all",
        "another text of more than sixty-four bytes, so that the long way has to be taken by most",
    ];
    let dates = ["1970-01-01", "1970-01-20", "1971-06-30", "2000-02-29"];
    let reals = ["0.0", "-0.0", "1.5", "nan", "1e300", "1.4999"];
    let tags = [
        json!([]),
        json!(["x"]),
        json!(["x", "y", "x"]),
        json!(["y", null, "z"]),
    ];
    (0..60_usize)
        .map(|i| {
            let some = |value: Value, every: usize| {
                if i % every == every - 1 {
                    Value::Null
                } else {
                    value
                }
            };
            vec![
                json!(i.to_string()),
                some(json!(texts[i % texts.len()]), 13),
                some(json!(texts[(i * 7 + 3) % texts.len()]), 11),
                some(json!(dates[i % 4]), 7),
                some(json!(format!("{} 0{}:00:00", dates[(i / 2) % 4], i % 9)), 9),
                some(json!((i % 8).to_string()), 17),
                some(
                    json!((if i % 3 == 0 { i % 8 } else { i * i * 1_000_003 }).to_string()),
                    10,
                ),
                some(json!(reals[i % 6]), 8),
                some(json!(format!("{}.{}5", i % 5, i % 3)), 12),
                some(tags[i % 4].clone(), 6),
            ]
        })
        .collect()
}

struct Table {
    given: Given,
    files: Vec<PathBuf>,
    columns: Columns,
}

impl Table {
    fn new() -> Self {
        let given = Given::new();
        let column = |(name, of): &(&str, &str)| Column::new(*name, of.parse().unwrap());
        let columns = Columns(COLUMNS.iter().map(column).collect());
        // In two files, so that rows are numbered over both.
        let files: Vec<PathBuf> = ["one", "two"]
            .iter()
            .map(|it| given.folder().join(it).with_extension("parquet"))
            .collect();
        let rows = rows();
        write_rows(&given.session, &columns, &rows[..25], &files[0]).unwrap();
        write_rows(&given.session, &columns, &rows[25..], &files[1]).unwrap();
        Self {
            given,
            files,
            columns,
        }
    }

    fn open(&self, settings: Settings) -> Linkage {
        let records = Records {
            files: &self.files,
            columns: Some(&self.columns),
            blank_is_null: false,
        };
        Linkage::open(&self.given.session, &records, settings, None).unwrap()
    }
}

fn level(sql: &str) -> Level {
    Level {
        sql: sql.to_owned(),
        label: sql.to_owned(),
        is_null: false,
        m: Some(0.5),
        u: Some(0.25),
        fix_m: false,
        fix_u: false,
        term_frequency: None,
        place: place(),
    }
}

fn settings(rules: Vec<Rule>, conditions: &[String]) -> Settings {
    let comparison = |(i, sql): (usize, &String)| Comparison {
        name: format!("c{i}"),
        description: None,
        levels: vec![level(sql), level("ELSE")],
        place: place(),
    };
    Settings {
        link: LinkType::Dedupe,
        source: "source_dataset".to_owned(),
        lambda: Some(0.1),
        unique_id: "id".to_owned(),
        rules,
        comparisons: conditions.iter().enumerate().map(comparison).collect(),
        em_convergence: 0.0001,
        max_iterations: 25,
        retain_matching_columns: true,
        retain_intermediate: false,
        additional_columns: Vec::new(),
        linker_uid: None,
        place: place(),
    }
}

/// Any pair at all: `id` is never NULL and never equal, so this takes DuckDB.
fn every_pair() -> Vec<Rule> {
    vec![Rule::new("l.id < r.id", &place())]
}

#[test]
fn conditions_hold_for_the_same_pairs_natively_and_by_duckdb() {
    let conditions = [
        "a_l = a_r",
        "a_l <> b_r",
        "a_l = b_r AND b_l = a_r",
        "a_l IS NULL OR a_r IS NULL",
        "NOT (a_l = a_r OR b_l = b_r)",
        "a_l IS NOT DISTINCT FROM a_r",
        "a_l IS DISTINCT FROM b_r",
        "upper(a_l) = upper(a_r)",
        "NULLIF(regexp_extract(a_l, '^[^@]+', 0), '') = NULLIF(regexp_extract(a_r, '^[^@]+', 0), '')",
        "jaro_winkler_similarity(a_l, a_r) >= 0.9",
        "jaro_winkler_similarity(a_l, b_r) > 0.7 AND jaro_winkler_similarity(a_l, b_r) <= 0.9",
        "NOT jaro_winkler_similarity(a_l, a_r) >= 0.6",
        "jaro_similarity(a_l, a_r) >= 0.75",
        "jaro_similarity(a_l, a_r) = 1",
        "levenshtein(a_l, a_r) <= 2",
        "levenshtein(a_l, b_r) > 40",
        "levenshtein(CAST(born_l AS VARCHAR), CAST(born_r AS VARCHAR)) < 3",
        "damerau_levenshtein(a_l, a_r) <= 2",
        "2 >= damerau_levenshtein(a_l, a_r) AND damerau_levenshtein(a_l, a_r) <> 1",
        "jaccard(NULLIF(a_l, ''), NULLIF(a_r, '')) >= 0.5",
        "levenshtein(a_l, a_r) / greatest(length(a_l), 1) < 0.5",
        "ABS(small_l - small_r) <= 1",
        "small_l = small_r",
        "small_l = big_r",
        "ABS(big_l - big_r) < 90000000",
        "ABS(big_l - big_r) / (big_l + big_r) < 0.2",
        "real_l = real_r",
        "ABS(real_l - real_r) <= 0.01",
        "real_l < real_r",
        "real_l >= real_r",
        "money_l = money_r",
        "born_l = born_r",
        "ABS(born_l - born_r) <= 30",
        "date_diff('day', born_l, born_r) > 0",
        "ABS(EPOCH(born_l) - EPOCH(born_r)) <= 2629800.0",
        "try_strptime(a_l, '%Y') IS NULL OR try_strptime(a_r, '%Y') IS NULL",
        "seen_l = seen_r",
        "ABS(EPOCH(seen_l) - EPOCH(seen_r)) <= 86400",
        "array_length(list_intersect(tags_l, tags_r)) >= 1",
        "len(list_intersect(tags_l, tags_r)) = 2",
        "list_has_any(tags_l, tags_r)",
        "a_l = 'martha' AND a_r = 'marhta'",
        "a_l LIKE 'm%' OR a_r LIKE 'm%'",
        "small_l > 3 AND NOT small_r > 3",
        "least(real_l, real_r) > 1",
        "1 = 1",
    ];
    let table = Table::new();
    let native: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    // What is asked of both records together, in a way that is not known natively, and is always true.
    let by_sql: Vec<String> = native
        .iter()
        .map(|it| format!("({it}) AND [id_l, id_r] IS NOT NULL"))
        .collect();
    let of = |conditions: &[String]| {
        let linkage = table.open(settings(every_pair(), conditions));
        let ways: Vec<Way> = linkage.ways().into_iter().map(|it| it.1).collect();
        (linkage.predict(&all_pairs()).unwrap(), ways)
    };
    let (here, ways_here) = of(&native);
    let (there, ways_there) = of(&by_sql);
    assert_eq!(here.len(), 60 * 59 / 2);
    let mut different = Vec::new();
    for (i, condition) in conditions.iter().enumerate() {
        assert_eq!(ways_here[i], Way::Native, "{condition}");
        assert!(matches!(ways_there[i], Way::Sql(_)), "{condition}");
        let by = |pairs: &Pairs| {
            (0..pairs.len())
                .map(|at| pairs.gammas(at)[i])
                .collect::<Vec<_>>()
        };
        let (here, there) = (by(&here), by(&there));
        if here != there {
            different.push(*condition);
        }
        let holds = here.iter().filter(|it| **it == 1).count();
        assert!(
            holds > 0 && (holds < here.len() || *condition == "1 = 1"),
            "{condition} tells nothing apart: {holds}"
        );
    }
    assert_eq!(different, [""; 0]);
}

#[test]
fn rules_give_the_same_pairs_natively_and_by_duckdb() {
    let table = Table::new();
    let explode = |sql: &str| Rule {
        arrays_to_explode: vec!["tags".to_owned()],
        ..Rule::new(sql, &place())
    };
    let rules = |texts: [&str; 3]| -> Vec<Rule> {
        texts.iter().map(|it| Rule::new(*it, &place())).collect()
    };
    let check = |rules: Vec<Rule>| {
        let by_sql = rules.iter().map(|it| Rule {
            sql: format!("({}) AND [l.id, r.id] IS NOT NULL", it.sql),
            ..it.clone()
        });
        let of = |rules: Vec<Rule>, native: bool| {
            let linkage = table.open(settings(rules, &["a_l = a_r".to_owned()]));
            let ways = linkage.ways();
            assert!(
                ways[1..].iter().all(|it| (it.1 == Way::Native) == native),
                "{ways:?}"
            );
            let mut pairs = linkage.predict(&all_pairs()).unwrap();
            // DuckDB tells the pairs that it found, and no key.
            pairs.rules.clear();
            pairs
        };
        let there = of(by_sql.collect(), false);
        let here = of(rules, true);
        assert!(!here.is_empty());
        assert_eq!(here, there);
    };
    check(rules(["l.a = r.a", "l.b = r.b", "l.small = r.small"]));
    check(rules([
        "l.a = r.b",
        "l.small = r.small AND l.born = r.born",
        "r.b = l.a AND l.money = r.money",
    ]));
    check(rules([
        "upper(l.a) = upper(r.a) AND l.small < r.small",
        "l.a = r.a AND l.b IS NOT NULL AND levenshtein(l.b, r.b) > 3",
        "l.big = r.small",
    ]));
    check(rules([
        "l.real = r.real",
        "l.seen = r.seen AND l.small > 2",
        "substr(l.a, 1, 1) = substr(r.b, 1, 1)",
    ]));
    check(vec![
        explode("l.tags = r.tags"),
        Rule::new("l.a = r.a", &place()),
    ]);
    check(vec![
        Rule::new("l.a = r.a", &place()),
        explode("l.tags = r.tags AND l.born = r.born"),
    ]);
}

#[test]
fn rules_that_both_ways_find_are_counted_once() {
    let table = Table::new();
    let rules: Vec<Rule> = ["l.a = r.a", "l.a = r.a OR l.b = r.b", "l.b = r.b"]
        .iter()
        .map(|it| Rule::new(*it, &place()))
        .collect();
    let linkage = table.open(settings(rules, &["a_l = a_r".to_owned()]));
    let ways = linkage.ways();
    assert_eq!(ways[1].1, Way::Native);
    assert!(matches!(ways[2].1, Way::Sql(_)));
    let pairs = linkage.predict(&all_pairs()).unwrap();
    let mut both: Vec<(u32, u32)> = pairs
        .l
        .iter()
        .copied()
        .zip(pairs.r.iter().copied())
        .collect();
    let count = both.len();
    both.dedup();
    assert_eq!(both.len(), count);
    let by_rule = |rule: u16| pairs.match_key.iter().filter(|it| **it == rule).count();
    let counted = linkage.rules().unwrap();
    assert_eq!(u64::try_from(by_rule(0)).unwrap(), counted[0].pairs);
    assert_eq!(
        u64::try_from(by_rule(0) + by_rule(1)).unwrap(),
        counted[1].pairs
    );
    assert_eq!(by_rule(2), 0, "the second rule has them all");
}
