//! What is said when rows can't be deduplicated.

use super::Bench;

#[track_caller]
fn check(dedupe: &str, rows: &str, expected: &str) {
    let mut bench = Bench::new();
    let said = match bench.run(dedupe, rows) {
        Ok(done) => format!("done; {}", done.notes.join("; ")),
        Err(error) => error.to_string(),
    };
    let line = |line: &str| line.trim().trim_start_matches("error: ").to_owned();
    let said: Vec<String> = said
        .lines()
        .filter(|line| !line.is_empty())
        .map(line)
        .collect();
    let expected: Vec<String> = expected.trim().lines().map(line).collect();
    assert_eq!(said, expected);
}

#[test]
fn ids_that_tell_nothing_apart_are_mistakes() {
    check(
        "unique_id: id\nkeys: [k]",
        "SELECT * FROM (VALUES (1, 'secret'), (1, 'b'), (1, 'c'), (NULL, 'd')) t(id, k)",
        "1 row of the query's result have no value in `id`
         configs/transformations.yml:4:18
         hint: a row without an id can be told from no other: leave it out in the query, or name another column as `unique_id`
         2 rows too many have the same value in `id`
         configs/transformations.yml:4:18
         hint: an id that is there twice would make pairs that are none: use `SELECT DISTINCT`, or name another column as `unique_id`",
    );
}

#[test]
fn columns_that_are_not_there_are_named_all_at_once() {
    check(
        "unique_id: idd\nkeys: [emial, \"lower(nme)\", [k, k]]\nsource: src\noutput: {keep: golden, survivor: [latest: updated], golden: {foo: max, k: concat, default: longest, id: max}}",
        "SELECT 1 AS id, 2 AS k, 'a' AS email, 3 AS cluster_id",
        "the query returns no column `updated`
         configs/transformations.yml:7:49
         the query returns no column `foo`
         configs/transformations.yml:7:68
         the query returns no column `src`
         configs/transformations.yml:6:15
         the query returns no column `idd`
         configs/transformations.yml:4:18
         this rule is for texts, and `k` is INTEGER
         configs/transformations.yml:7:81
         hint: cast it in the query
         this rule is for texts, not for every column
         configs/transformations.yml:7:98
         hint: give it to single columns
         the query returns `cluster_id`, which `dedupe` adds
         configs/transformations.yml:4:18
         hint: give the query's column another name with AS
         the query returns no column `emial`
         configs/transformations.yml:5:14
         hint: did you mean `email`?
         `lower(nme)`: referenced column \"nme\" not found in FROM clause
         configs/transformations.yml:5:21
         hint: did you mean `email`?",
    );
}

#[test]
fn a_key_is_an_expression_and_nothing_else() {
    check(
        "unique_id: id\nkeys: [\"(SELECT content FROM read_text('/etc/passwd'))\", \"random()\", \"1; DROP TABLE rows\"]",
        "SELECT 1 AS id",
        "`(SELECT content FROM read_text('/etc/passwd'))`: the table function `read_text` can't be used here
         configs/transformations.yml:5:14
         hint: a query reads no files: make the file a source, and its table an input
         `random()`: a key can't ask for the time or for chance
         configs/transformations.yml:5:64
         `1; DROP TABLE rows`: syntax error at or near \";\"
         configs/transformations.yml:5:76
         hint: look at what stands before it: a comma, an operator or a parenthesis may be missing",
    );
}

#[test]
fn what_a_key_meets_is_told_without_the_value() {
    check(
        "unique_id: id\nkeys: [\"k::INTEGER\"]",
        "SELECT 1 AS id, 'secret' AS k UNION ALL SELECT 2, 'other'",
        "the key `k::INTEGER`: could not convert string … (wanted: INT32), in column k
         configs/transformations.yml:5:14",
    );
}

const UNKNOWN: &str = "SELECT i AS id, 'unknown' AS k FROM range(5) t(i)";

#[test]
fn a_value_that_too_many_share_is_not_believed() {
    check(
        "unique_id: id\nkeys: [k]\nmax_cluster_size: 4",
        UNKNOWN,
        "one cluster has 5 rows, more than `max_cluster_size`, which is 4; 5 rows share one value of the key `k`
         configs/transformations.yml:6:25
         hint: turn values that stand for nothing, such as 'unknown', into NULL in the query; if so many rows are one thing, raise `max_cluster_size`",
    );
    check(
        "unique_id: id\nkeys: [k]\nmax_cluster_size: 4\non_large_cluster: warn",
        UNKNOWN,
        "done; one cluster has 5 rows, more than `max_cluster_size`, which is 4; 5 rows share one value of the key `k`",
    );
    check(
        "unique_id: id\nkeys: [k]\nmax_cluster_size: 5",
        UNKNOWN,
        "done; ",
    );
}
