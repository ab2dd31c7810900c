//! Columns that come, change and go.

use crate::shop::{Shop, parquet};

/// Files by name, one run each; what each run says, and what is there in the end.
fn check(table: &str, versions: &[(&str, &str, &str)], types: &str, rows: &str) {
    let mut shop = Shop::new(&format!("files: '*'\n{table}"));
    for (name, content, expected) in versions {
        shop.put(name, content);
        assert_eq!(shop.run(), *expected, "{name}");
    }
    assert_eq!(shop.types(), types);
    assert_eq!(shop.rows(&shop.names()), rows);
}

#[test]
fn files_are_matched_by_name_whatever_the_order_and_the_case() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,name\n1,a\n")
        .put("2.csv", "NAME,id\nb,2\n")
        .put("3.csv", "id\n3\n");
    assert_eq!(shop.run(), "3 rows\n`3.csv` has no `name`: NULL there");
    assert_eq!(shop.rows("id name"), "1|a\n2|b\n3|∅");
}

/// In most cases it is a slip of the finger: the column that is meant is there too, and the one that is named is NULL for ever.
#[test]
fn a_declared_column_that_no_file_has_is_a_warning() {
    let mut shop = Shop::new("files: '*.csv'\ncolumns: {id: BIGINT, nmae: VARCHAR, total: DOUBLE}");
    shop.put("1.csv", "id,name\n1,a\n");
    let said = "1 rows\n`columns` names columns that no file has that was read: `nmae` (did you mean `name`?), `total`: NULL";
    assert_eq!(shop.run(), said);
    shop.put("2.csv", "id,name\n2,b\n");
    assert_eq!(shop.run(), said);
    // Once a file has it, others may lack it.
    shop.put("3.csv", "id,name,nmae,total\n3,c,x,1.5\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("4.csv", "id,name,total\n4,d,2.5\n");
    assert!(!shop.run().contains("`columns` names"));
}

#[test]
fn a_csv_file_without_its_header_is_an_error() {
    let refused = "error: `2.csv` has none of the columns of the table (`id`, `name`): its first line has no column names \
                   (add a header, or set `header: false` if no file has one); nothing was loaded. \
                   Put a good file in its place, or take it away, and run again";
    for policy in [
        "",
        "on_schema_change: discard\n",
        "on_schema_change: freeze\n",
        "on_bad_row: quarantine\n",
    ] {
        for content in ["2,b\n3,c\n", "2,b\n", "\n2;b\n"] {
            let mut shop = Shop::new(&format!("files: '*.csv'\n{policy}"));
            shop.put("1.csv", "id,name\n1,a\n");
            assert_eq!(shop.run(), "1 rows");
            shop.put("2.csv", content);
            assert_eq!(shop.run(), refused);
            shop.put("2.csv", "id,name\n2,b\n3,c\n");
            assert_eq!(shop.run(), "2 rows");
            assert_eq!(shop.rows("id name"), "1|a\n2|b\n3|c");
        }
    }
}

#[test]
fn in_a_first_load_files_have_columns_in_common() {
    let mut shop = Shop::new("files: '*.csv'");
    for (first, second, third) in [
        ("id,name\n1,a\n", "2,b\n3,c\n", "NAME\nd\n"),
        ("id,name\n", "2,b\n", "name,id\n"),
        ("1,a\n", "2,b\n3,c\n", "4,d\n"),
    ] {
        shop.put("1.csv", first)
            .put("2.csv", second)
            .put("3.csv", third);
        let said = shop.run();
        assert!(
            said.contains("has no column in common with `1.csv`: the first line of one of them has no column names"),
            "{said}"
        );
    }
    shop.put("1.csv", "id,name\n1,a\n")
        .put("2.csv", "name,x\nb,2\n")
        .put("3.csv", "x,y\n3,4\n");
    assert_eq!(
        shop.run(),
        "3 rows\n`1.csv` and 2 more have no `id`, `name`, `x`, `y`: NULL there"
    );
}

#[test]
fn evolve_adds_columns_and_widens_types() {
    check(
        "",
        &[
            ("1.csv", "id,n\n1,1\n", "1 rows"),
            (
                "2.csv",
                "id,n,extra\n2,2,x\n",
                "1 rows\nnew column `extra` (VARCHAR)",
            ),
            (
                "3.csv",
                "id,n\n3,2.5\n",
                "1 rows\n`n` is DOUBLE instead of BIGINT\nthe source has no `extra` any more (dropped or renamed): NULL in every row that is read from now on",
            ),
        ],
        "id BIGINT, n DOUBLE, extra VARCHAR",
        "1|1.0|∅\n2|2.0|x\n3|2.5|∅",
    );
    check(
        "",
        &[
            ("1.csv", "d\n2026-01-01\n", "1 rows"),
            (
                "2.csv",
                "d\n2026-01-02 10:00:00\n",
                "1 rows\n`d` is TIMESTAMP instead of DATE",
            ),
        ],
        "d TIMESTAMP",
        "2026-01-01 00:00:00\n2026-01-02 10:00:00",
    );
}

#[test]
fn one_odd_value_does_not_turn_a_column_into_text() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,n\n1,1\n");
    shop.run();
    shop.put("2.csv", "id,n\n2,2\n3,n/a\n");
    let said = shop.run();
    assert!(said.contains("2.csv:3: `n` is not a BIGINT"), "{said}");
    assert_eq!(shop.rows("id n"), "1|1");
}

#[test]
fn freeze_names_the_columns() {
    let mut shop = Shop::new("files: '*.csv'\non_schema_change: freeze");
    shop.put("1.csv", "id\n1\n");
    shop.run();
    shop.put("2.csv", "id,a,b\n2,x,1\n");
    assert_eq!(
        shop.run(),
        "error: the columns of the source are not those of the table: new column `a` (VARCHAR); new column `b` (BIGINT); nothing was loaded (`on_schema_change`)"
    );
}

#[test]
fn discard_leaves_new_columns_out() {
    check(
        "on_schema_change: discard",
        &[
            ("1.csv", "id\n1\n", "1 rows"),
            (
                "2.csv",
                "a,id\nx,2\n",
                "1 rows\ncolumns that the table does not take: `a`",
            ),
        ],
        "id BIGINT",
        "1\n2",
    );
    check(
        "on_schema_change: discard",
        &[
            ("1.ndjson", "{\"id\":1}\n", "1 rows"),
            (
                "2.ndjson",
                "{\"id\":2,\"a\":1}\n",
                "1 rows\ncolumns that the table does not take: `a`",
            ),
        ],
        "id BIGINT",
        "1\n2",
    );
    check(
        "on_schema_change: discard",
        &[
            (
                "1.ndjson",
                "{\"o\":{\"a\":1},\"l\":[{\"b\":1}]}\n",
                "1 rows",
            ),
            (
                "2.ndjson",
                "{\"o\":{\"a\":2,\"x\":null,\"y\":3},\"l\":[{\"b\":2,\"c\":{\"d\":1}}]}\n",
                "1 rows\ncolumns that the table does not take: `o.y`, `l.c`",
            ),
        ],
        "o STRUCT(a BIGINT), l STRUCT(b BIGINT)[]",
        "{'a': 1}|[{'b': 1}]\n{'a': 2}|[{'b': 2}]",
    );
}

#[test]
fn new_keys_of_objects_are_not_lost() {
    check(
        "",
        &[
            ("1.ndjson", "{\"id\":1,\"to\":{\"city\":\"x\"}}\n", "1 rows"),
            (
                "2.ndjson",
                "{\"id\":2,\"more\":5}\n{\"id\":3,\"to\":{\"city\":\"y\",\"zip\":7}}\n",
                "2 rows\n`to` is STRUCT(city VARCHAR, zip BIGINT) instead of STRUCT(city VARCHAR)\nnew column `more` (BIGINT)",
            ),
        ],
        "id BIGINT, to STRUCT(city VARCHAR, zip BIGINT), more BIGINT",
        "1|{'city': x, 'zip': NULL}|∅\n2|∅|5\n3|{'city': y, 'zip': 7}|∅",
    );
}

#[test]
fn a_type_that_is_said_later_is_taken_if_nothing_is_lost() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,n\n1,1\n");
    shop.run();
    shop.configure("files: '*.csv'\ncolumns: {n: 'DECIMAL(30,2)'}");
    shop.put("2.csv", "id,n\n2,2.25\n");
    assert_eq!(shop.run(), "1 rows\n`n` is DECIMAL(30,2) instead of BIGINT");
    assert_eq!(shop.rows("id n"), "1|1.00\n2|2.25");
}

#[test]
fn a_type_that_older_rows_do_not_fit_is_refused() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,n\n1,1.125\n");
    shop.run();
    shop.configure("files: '*.csv'\ncolumns: {n: 'DECIMAL(9,2)'}");
    shop.put("2.csv", "id,n\n2,2.25\n");
    let said = shop.run();
    assert!(said.starts_with("error: the table has values that do not fit exactly when `n` is DECIMAL(9,2) instead of DOUBLE"), "{said}");
    assert_eq!(shop.rows("id n"), "1|1.125");
}

/// A table of `n INTEGER` from Parquet, to which a file with `n BIGINT` comes.
fn wider_parquet(policy: &str, value: &str) -> (Shop, String) {
    let mut shop = Shop::new(&format!("files: '*.parquet'\non_schema_change: {policy}"));
    shop.put("1.parquet", parquet("n: INTEGER", "id,n\n1,10\n"));
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.types(), "id BIGINT, n INTEGER");
    let wider = parquet("n: BIGINT", &format!("id,n\n2,{value}\n"));
    shop.put("2.parquet", wider);
    let said = shop.run();
    (shop, said)
}

#[test]
fn evolve_writes_older_rows_anew_for_a_wider_type_of_parquet() {
    let (shop, said) = wider_parquet("evolve", "3000000000");
    assert_eq!(said, "1 rows\n`n` is BIGINT instead of INTEGER");
    assert_eq!(shop.types(), "id BIGINT, n BIGINT");
    assert_eq!(
        shop.rows("id n _comboi_file _comboi_run_id"),
        "1|10|1.parquet|1\n2|3000000000|2.parquet|2"
    );
    let old = shop.path("scratch-1");
    let files = &shop.known.as_ref().unwrap().files;
    assert!(
        files.iter().all(|file| !file.starts_with(&old)),
        "{files:?}"
    );
}

#[test]
fn freeze_names_a_wider_type_of_parquet() {
    let (shop, said) = wider_parquet("freeze", "20");
    assert!(said.starts_with("error: "), "{said}");
    assert!(said.contains("`n` is BIGINT instead of INTEGER"), "{said}");
    assert_eq!(shop.rows("id n"), "1|10");
}

#[test]
fn discard_takes_values_of_a_wider_type_that_fit() {
    let (shop, said) = wider_parquet("discard", "20");
    assert_eq!(said, "1 rows");
    assert_eq!(shop.types(), "id BIGINT, n INTEGER");
    assert_eq!(shop.rows("id n"), "1|10\n2|20");
    let (shop, said) = wider_parquet("discard", "3000000000");
    assert!(
        said.contains("2.parquet:1: `n` is not an INTEGER"),
        "{said}"
    );
    assert_eq!(shop.rows("id n"), "1|10");
}

#[test]
fn a_bad_row_widens_no_column_that_it_is_not_about() {
    let mut shop = Shop::new("files: '*'\non_bad_row: quarantine");
    shop.put("1.parquet", parquet("n: INTEGER, m: INTEGER", "n,m\n1,1\n"));
    shop.run();
    shop.configure("files: '*'\nformat: csv\non_bad_row: quarantine");
    std::fs::remove_file(shop.path("in/1.parquet")).unwrap();
    shop.put("2.csv", "n,m\n2,2\n3,x\n");
    let said = shop.run();
    assert!(said.starts_with("1 rows, 1 put aside"), "{said}");
    assert_eq!(shop.types(), "n INTEGER, m INTEGER");
}
