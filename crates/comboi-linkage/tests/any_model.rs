//! Any model over any rows gives what the SQL gives that Splink would run for it: pairs, levels, weights and clusters.
//!
//! The SQL is made here, of the settings as Splink's JSON has them, in the way of Splink: one rule after the other, a `CASE` over the conditions
//! as they stand, the logarithm of m and u, the frequencies of values joined to the rows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use comboi_engine::{Input, SqlFile, build, write_rows};
use comboi_linkage::{Linkage, Pairs, Predict, Records, Settings, SplinkVersion, weight_of};
use comboi_project::{Column, Columns};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::given::{Given, all_pairs};

const COLUMNS: [(&str, &str); 8] = [
    ("table_of", "VARCHAR"),
    ("a", "VARCHAR"),
    ("b", "VARCHAR"),
    ("born", "VARCHAR"),
    ("n", "INTEGER"),
    ("x", "DOUBLE"),
    ("day", "DATE"),
    ("tags", "VARCHAR[]"),
];

/// Rows of a few values, near to each other, so that every level is met.
fn row() -> impl Strategy<Value = Vec<Value>> {
    let text = || option::weighted(0.85, "[abé]{0,2}|mart(ha|ah)|jon(es|se)|[AB]1 [12]XY");
    let born = "197[01]-0[12]-1[01]|no day";
    let numbers = select(vec!["0", "1", "2", "3", "17", "-4"]);
    let reals = select(vec!["0.5", "0.75", "-0.0", "0.0", "100", "100.5", "nan"]);
    let days = select(vec!["1970-01-01", "1970-01-20", "1971-02-03", "1999-12-31"]);
    let tags = vec(select(vec!["u", "v", "w"]), 0..3);
    let table_of = select(vec!["crm", "shop"]);
    (
        (text(), text(), option::weighted(0.85, born)),
        (
            option::of(numbers),
            option::weighted(0.9, reals),
            option::weighted(0.9, days),
        ),
        (option::weighted(0.9, tags), table_of),
    )
        .prop_map(|((a, b, born), (n, x, day), (tags, table_of))| {
            vec![
                json!(table_of),
                json!(a),
                json!(b),
                json!(born),
                json!(n),
                json!(x),
                json!(day),
                json!(tags),
            ]
        })
}

/// A condition of a level between two values of the column that the level's comparison is about.
fn condition() -> impl Strategy<Value = &'static str> {
    select(vec![
        "jaro_winkler_similarity(a_l, a_r) >= 0.92",
        "jaro_winkler_similarity(\"a_l\", \"a_r\") >= 0.7",
        "jaro_similarity(a_l, a_r) >= 0.65",
        "levenshtein(a_l, a_r) <= 1",
        "levenshtein(a_l, a_r) <= 2",
        "damerau_levenshtein(a_l, a_r) <= 1",
        "jaccard(NULLIF(a_l, ''), NULLIF(a_r, '')) >= 0.5",
        "a_l = b_r AND b_l = a_r",
        "a_l = a_r AND b_l = b_r",
        "(a_l = a_r OR b_l = b_r) AND NOT n_l = n_r",
        "NULLIF(regexp_extract(a_l, '^[A-Z]+[0-9]', 0), '') = NULLIF(regexp_extract(a_r, '^[A-Z]+[0-9]', 0), '')",
        "SUBSTRING(a_l, 1, 2) = SUBSTRING(a_r, 1, 2)",
        "levenshtein(born_l, born_r) <= 1",
        "ABS(EPOCH(try_strptime(born_l, '%Y-%m-%d')) - EPOCH(try_strptime(born_r, '%Y-%m-%d'))) <= 2629800.0",
        "ABS(n_l - n_r) <= 1",
        "ABS(x_l - x_r) < 0.5",
        "ABS(x_l - x_r) / greatest(x_l, x_r) < 0.3",
        "ABS(EPOCH(day_l) - EPOCH(day_r)) <= 31557600.0",
        "array_length(list_intersect(tags_l, tags_r)) >= 1",
        "n_l < n_r",
        // What only DuckDB computes.
        "concat(a_l, b_r) = concat(b_l, a_r)",
    ])
}

fn rule() -> impl Strategy<Value = &'static str> {
    select(vec![
        "l.a = r.a",
        "l.\"b\" = r.\"b\"",
        "l.n = r.n",
        "l.born = r.born AND l.n = r.n",
        "l.a = r.a AND l.n = r.n AND l.b = r.b",
        "substr(l.a, 1, 1) = substr(r.a, 1, 1)",
        "l.a = r.b",
        "l.day = r.day AND levenshtein(l.a, r.a) <= 2",
        "r.x = l.x AND l.n < r.n",
        "l.a = r.a OR l.b = r.b",
    ])
}

/// m and u of a level; sometimes missing, sometimes nothing.
fn share() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![8 => (1e-6..1.0).prop_map(Some), 1 => Just(Some(0.0)), 1 => Just(None)]
}

fn numbered(mut level: Value, (m, u): (Option<f64>, Option<f64>)) -> Value {
    let object = level.as_object_mut().unwrap();
    object.extend(m.map(|m| ("m_probability".to_owned(), json!(m))));
    object.extend(u.map(|u| ("u_probability".to_owned(), json!(u))));
    level
}

fn comparison() -> impl Strategy<Value = Vec<Value>> {
    let exact = (
        option::of(select(vec!["a", "b", "n", "born"])),
        option::of((select(vec![1.0, 0.5]), option::of(0.001..0.3_f64))),
    )
        .prop_map(|(column, counted)| {
            let column = column?;
            let mut level = json!({"sql_condition": format!("\"{column}_l\" = \"{column}_r\"")});
            if let Some((weight, least)) = counted {
                level["tf_adjustment_column"] = json!(column);
                level["tf_adjustment_weight"] = json!(weight);
                level["tf_minimum_u_value"] = json!(least.unwrap_or(0.0));
            }
            Some(level)
        });
    let null = option::of(select(vec![
        "a_l IS NULL OR a_r IS NULL",
        "try_strptime(born_l, '%Y-%m-%d') IS NULL OR try_strptime(born_r, '%Y-%m-%d') IS NULL",
        "(n_l IS NULL OR n_r IS NULL) AND (x_l IS NULL OR x_r IS NULL)",
    ]));
    let own = (condition(), any::<bool>());
    (null, exact, vec(own, 1..4), vec((share(), share()), 6)).prop_map(
        |(null, exact, own, shares)| {
            let mut levels = Vec::new();
            levels.extend(null.map(|sql| json!({"sql_condition": sql, "is_null_level": true})));
            let mut shares = shares.into_iter();
            let mut next = |level: Value| numbered(level, shares.next().unwrap());
            levels.extend(exact.map(&mut next));
            for (sql, counted) in own {
                let mut level = json!({"sql_condition": sql});
                if counted && sql.contains("(a_l, a_r)") {
                    level["tf_adjustment_column"] = json!("a");
                    level["disable_tf_exact_match_detection"] = json!(true);
                }
                levels.push(next(level));
            }
            levels.push(next(json!({"sql_condition": "ELSE"})));
            levels
        },
    )
}

fn model() -> impl Strategy<Value = Value> {
    let link_type = select(vec!["dedupe_only", "link_only", "link_and_dedupe"]);
    (1e-4..0.5, vec(rule(), 1..4), vec(comparison(), 1..4), link_type).prop_map(
        |(lambda, rules, comparisons, link_type)| {
            let comparisons: Vec<Value> = comparisons
                .into_iter()
                .enumerate()
                .map(|(i, levels)| json!({"output_column_name": format!("c{i}"), "comparison_levels": levels}))
                .collect();
            json!({"link_type": link_type, "source_dataset_column_name": "table_of", "unique_id_column_name": "id", "probability_two_random_records_match": lambda,
                "blocking_rules_to_generate_predictions": rules, "comparisons": comparisons})
        },
    )
}

/// The SQL of a model.
fn sql(model: &Value) -> String {
    let list = |of: &Value, key: &str| of[key].as_array().unwrap().clone();
    let rules = list(model, "blocking_rules_to_generate_predictions");
    let mut pairs = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let mut select = format!(
            "SELECT {i} AS match_key, l.id AS id_l, r.id AS id_r FROM records l JOIN records r ON ({}) WHERE l.id < r.id",
            rule.as_str().unwrap()
        );
        if model["link_type"] == json!("link_only") {
            select.push_str(" AND l.table_of <> r.table_of");
        }
        for earlier in &rules[..i] {
            write!(
                select,
                " AND NOT coalesce(({}), false)",
                earlier.as_str().unwrap()
            )
            .unwrap();
        }
        pairs.push(select);
    }
    let names = COLUMNS.map(|it| it.0);
    let both: String = names.iter().fold(String::new(), |sql, it| {
        format!("{sql}, l.{it} AS {it}_l, r.{it} AS {it}_r")
    });
    let (mut counts, mut joins, mut shares) = (String::new(), String::new(), String::new());
    for it in ["a", "b", "n", "born"] {
        write!(counts, ", tf_{it} AS (SELECT {it} AS v, count(*) / (SELECT count({it}) FROM records) AS tf FROM records WHERE {it} IS NOT NULL GROUP BY {it})").unwrap();
        write!(joins, " LEFT JOIN tf_{it} tl_{it} ON tl_{it}.v = l.{it} LEFT JOIN tf_{it} tr_{it} ON tr_{it}.v = r.{it}").unwrap();
        write!(shares, ", tl_{it}.tf AS tf_{it}_l, tr_{it}.tf AS tf_{it}_r").unwrap();
    }
    let lambda = model["probability_two_random_records_match"]
        .as_f64()
        .unwrap();
    let (mut gammas, mut found) = (String::new(), String::new());
    let mut weight = format!("log2({lambda:e} / (1 - {lambda:e}))");
    for (i, comparison) in list(model, "comparisons").iter().enumerate() {
        let levels = list(comparison, "comparison_levels");
        let (mut cases, mut otherwise) = (String::new(), String::new());
        let (mut of_level, mut of_share) = (String::new(), String::new());
        let is_null = |level: &Value| level["is_null_level"] == json!(true);
        let count = levels.iter().filter(|it| !is_null(it)).count();
        let mut gamma = count;
        let logs = |gamma: usize, level: &Value| {
            let (m, u) = untrained(gamma, count);
            let of = |key: &str, or: f64| level[key].as_f64().unwrap_or(or).max(1e-300);
            (of("m_probability", m), of("u_probability", u))
        };
        let numbers: Vec<Option<usize>> = levels
            .iter()
            .map(|level| {
                gamma -= usize::from(!is_null(level));
                (!is_null(level)).then_some(gamma)
            })
            .collect();
        for (level, number) in levels.iter().zip(&numbers) {
            let condition = level["sql_condition"].as_str().unwrap();
            let shown = number.map_or("-1".to_owned(), |it| it.to_string());
            if condition == "ELSE" {
                otherwise = shown;
            } else {
                write!(cases, " WHEN {condition} THEN {shown}").unwrap();
            }
            let Some(number) = *number else { continue };
            let (m, u) = logs(number, level);
            write!(
                of_level,
                " WHEN {number} THEN log2({m:e}::DOUBLE / {u:e}::DOUBLE)"
            )
            .unwrap();
            let Some(column) = level["tf_adjustment_column"].as_str() else {
                continue;
            };
            let equal = format!("\"{column}_l\" = \"{column}_r\"");
            let own = level["disable_tf_exact_match_detection"] == json!(true);
            let exact = levels
                .iter()
                .position(|it| !own && it["sql_condition"] == json!(equal));
            let u = exact.map_or(u, |at| logs(numbers[at].unwrap(), &levels[at]).1);
            let least = level["tf_minimum_u_value"].as_f64().unwrap_or(0.0);
            let times = level["tf_adjustment_weight"].as_f64().unwrap_or(1.0);
            write!(of_share, " WHEN {number} THEN CASE WHEN coalesce(tf_{column}_l, tf_{column}_r) IS NULL THEN 0 ELSE {times:e} * (log2({u:e}::DOUBLE)
                - log2(greatest(coalesce(tf_{column}_l, tf_{column}_r), coalesce(tf_{column}_r, tf_{column}_l), {least:e}::DOUBLE))) END").unwrap();
        }
        write!(gammas, ", CASE{cases} ELSE {otherwise} END AS g{i}").unwrap();
        write!(found, ", g{i}").unwrap();
        write!(
            weight,
            " + CASE g{i}{of_level} ELSE 0 END + CASE g{i} WHEN -2 THEN 0 {of_share} ELSE 0 END"
        )
        .unwrap();
    }
    format!(
        "WITH pairs AS ({}){counts},
         both_sides AS (SELECT match_key, id_l, id_r{both}{shares} FROM pairs JOIN records l ON l.id = id_l JOIN records r ON r.id = id_r{joins}),
         compared AS (SELECT *{gammas} FROM both_sides)
         SELECT id_l, id_r, match_key, {weight} AS weight{found} FROM compared",
        pairs.join(" UNION ALL ")
    )
}

/// Splink's m and u of a level of which nothing was learned, by its number.
fn untrained(gamma: usize, count: usize) -> (f64, f64) {
    let rest = f64::from(u32::try_from(count - 1).unwrap());
    let below = f64::from(u32::try_from(gamma).unwrap());
    let (m, weight) = match (gamma + 1 == count, count) {
        (true, _) => (0.95, 10.0),
        (false, 2) => (0.05, -5.0),
        (false, _) => (0.05 / rest, -5.0 + 8.0 / (rest - 1.0) * below),
    };
    (m, m / f64::exp2(weight))
}

/// The smallest id that each id is connected with.
fn partition(
    ids: &[String],
    edges: &[(String, String)],
    less: impl Fn(&str, &str) -> bool,
) -> BTreeMap<String, String> {
    let mut of: BTreeMap<String, String> = ids.iter().map(|id| (id.clone(), id.clone())).collect();
    let mut changes = true;
    while changes {
        changes = false;
        for (l, r) in edges {
            let least = if less(&of[l], &of[r]) {
                of[l].clone()
            } else {
                of[r].clone()
            };
            for id in [l, r] {
                changes |= of[id] != least;
                of.insert(id.clone(), least.clone());
            }
        }
    }
    of
}

fn check(model: &Value, rows: &[Vec<Value>], whole_ids: bool, pairs_seen: &mut usize) {
    let given = Given::new();
    let id_type = if whole_ids { "BIGINT" } else { "VARCHAR" };
    let columns: Columns = std::iter::once(&("id", id_type))
        .chain(&COLUMNS)
        .map(|(name, of)| Column::new(*name, of.parse().unwrap()))
        .collect();
    // Neither in the order of their places nor, as texts, in that of their numbers.
    let ids: Vec<String> = (0..rows.len())
        .map(|i| (i * 37 % 101).to_string())
        .collect();
    let cells: Vec<Vec<Value>> = ids
        .iter()
        .zip(rows)
        .map(|(id, row)| {
            std::iter::once(json!(id))
                .chain(row.iter().cloned())
                .collect()
        })
        .collect();
    let files = [given.folder().join("records.parquet")];
    write_rows(&given.session, &columns, &cells, &files[0]).unwrap();

    let text = sql(model);
    let file = SqlFile {
        path: "splink.sql".as_ref(),
        text: &text,
    };
    let input = Input {
        alias: "records",
        columns: &columns,
        files: &files,
    };
    let to: PathBuf = given.folder().join("pairs.parquet");
    let built =
        build(&given.session, &file, &[input], None, &to).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let names: Vec<&str> = built.columns.names().collect();
    let expected: BTreeMap<(String, String), Vec<String>> = given
        .columns(&to, &names)
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap);
            (
                (cells.next().unwrap(), cells.next().unwrap()),
                cells.collect(),
            )
        })
        .collect();

    let (settings, warnings) =
        Settings::from_json(&model.to_string(), "model.json".as_ref()).unwrap();
    assert_eq!(warnings, []);
    let records = Records {
        files: &files,
        columns: Some(&columns),
        blank_is_null: false,
    };
    let again = settings.to_json(SplinkVersion::V5);
    assert_eq!(
        Settings::from_json(&again, "model.json".as_ref())
            .unwrap()
            .0
            .link,
        settings.link
    );
    let linkage = Linkage::open(&given.session, &records, settings, None).unwrap();
    let pairs = linkage.predict(&all_pairs()).unwrap();
    assert_eq!(pairs.len(), expected.len(), "pairs of {model}");
    let pair = |i: usize| {
        (
            ids[pairs.l[i] as usize].clone(),
            ids[pairs.r[i] as usize].clone(),
        )
    };
    for i in 0..pairs.len() {
        let (l, r) = pair(i);
        let Some(found) = expected.get(&(l.clone(), r.clone())) else {
            panic!("{l}, {r} are no pair by SQL: {model}");
        };
        assert_eq!(
            found[0],
            pairs.match_key[i].to_string(),
            "rule of {l}, {r}: {model}"
        );
        let gammas: Vec<String> = pairs.gammas(i).iter().map(ToString::to_string).collect();
        assert_eq!(&found[2..], gammas, "levels of {l}, {r}: {model}");
        let weight: f64 = found[1].parse().unwrap();
        assert!(
            (weight - pairs.weights[i]).abs() <= 1e-9,
            "{l}, {r}: {weight} by SQL, {} here: {model}",
            pairs.weights[i]
        );
    }
    let middle = |of: &[f64]| {
        let mut sorted = of.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    };
    for threshold_weight in [middle(&pairs.weights), weight_of(0.9)] {
        let some = Predict {
            threshold_weight,
            ..all_pairs()
        };
        let some = linkage.predict(&some).unwrap();
        let enough = (0..pairs.len()).filter(|i| pairs.weights[*i] >= threshold_weight);
        let told = |of: &Pairs, i: usize| {
            (
                of.l[i],
                of.r[i],
                of.match_key[i],
                of.weights[i],
                of.gammas(i).to_vec(),
            )
        };
        let enough: Vec<_> = enough.map(|i| told(&pairs, i)).collect();
        let some: Vec<_> = (0..some.len()).map(|i| told(&some, i)).collect();
        assert_eq!(some, enough, "those of {threshold_weight} of {model}");
    }
    // A threshold between two weights, where no rounding decides.
    let threshold = weight_of(0.9) + 1e-7;
    let edges: Vec<(String, String)> = expected
        .iter()
        .filter(|it| it.1[1].parse::<f64>().unwrap() >= threshold)
        .map(|it| it.0.clone())
        .collect();
    let less = |a: &str, b: &str| {
        if whole_ids {
            a.parse::<u32>().unwrap() < b.parse::<u32>().unwrap()
        } else {
            a < b
        }
    };
    let partition = partition(&ids, &edges, less);
    for (id, cluster) in ids.iter().zip(linkage.clusters(&pairs, threshold)) {
        assert_eq!(
            partition[id], ids[cluster as usize],
            "cluster of {id}: {model}"
        );
    }
    *pairs_seen += pairs.len();
}

#[test]
fn any_model_gives_what_the_sql_of_splink_gives() {
    let config = Config {
        cases: 32,
        failure_persistence: None,
        // A failure is shown as it is: to make it smaller would take as long as a hundred cases.
        max_shrink_iters: 40,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let mut pairs_seen = 0;
    let cases = (model(), vec(row(), 0..60), any::<bool>());
    let seen = std::cell::RefCell::new(&mut pairs_seen);
    runner
        .run(&cases, |(model, rows, whole_ids)| {
            check(&model, &rows, whole_ids, &mut seen.borrow_mut());
            Ok(())
        })
        .unwrap();
    assert!(pairs_seen > 500, "{pairs_seen} pairs prove little");
}
