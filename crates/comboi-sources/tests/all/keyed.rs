//! Files whose rows have a key: the last row of each key is the one that the table has.

use crate::shop::{Shop, parquet, touch};

fn keyed(more: &str) -> Shop {
    Shop::new(&format!("files: '*'\nprimary_key: id\n{more}"))
}

#[test]
fn a_row_takes_the_place_of_the_one_with_its_key() {
    let mut shop = keyed("");
    shop.put("1.csv", "id,v\n1,a\n2,b\n3,c\n");
    assert_eq!(shop.run(), "3 rows");
    // 2 is as it was, 3 is another, 4 is new.
    shop.put("2.csv", "id,v\n2,b\n3,C\n4,d\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(
        shop.rows("id v _comboi_file _comboi_run_id"),
        "1|a|1.csv|1\n2|b|1.csv|1\n3|C|2.csv|2\n4|d|2.csv|2"
    );
    assert_eq!(shop.run(), "nothing new");
    shop.put("3.csv", "id,v\n4,d\n");
    assert_eq!(shop.run(), "0 rows");
    assert_eq!(shop.rows("id v"), "1|a\n2|b\n3|C\n4|d");
    // A reset reads everything in the order of the files.
    shop.checkpoint = None;
    assert_eq!(shop.run(), "4 rows");
    assert_eq!(shop.rows("id v"), "1|a\n2|b\n3|C\n4|d");
}

#[test]
fn within_one_load_the_last_file_and_the_last_row_win() {
    for incremental in ["new_files", "full"] {
        let mut shop = keyed(&format!("incremental: {incremental}"));
        // Files that differ in their columns are read apart from each other.
        shop.put("1.csv", "id,v\n1,a\n1,b\n2,a\n3,a\n")
            .put("2.csv", "v,id,w\nz,1,x\nb,2,x\n")
            .put("3.csv", "id,v\n2,c\n2,d\n");
        assert!(shop.run().starts_with("3 rows"), "{incremental}");
        assert_eq!(shop.rows("id v w"), "1|z|x\n2|d|∅\n3|a|∅");
    }
    let mut shop = keyed("");
    shop.put(
        "1.ndjson",
        "{\"id\": 1, \"v\": \"a\"}\n{\"id\": 1, \"v\": \"b\"}\n",
    );
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id v"), "1|b");
    let mut shop = keyed("");
    shop.put(
        "1.json",
        "[{\"id\": 1, \"v\": \"a\"}, {\"id\": 1, \"v\": \"b\"}]",
    );
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id v"), "1|b");
    let mut shop = keyed("");
    shop.put("1.parquet", parquet("id: BIGINT", "id,v\n1,a\n1,b\n"));
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id v"), "1|b");
}

/// Far more rows than DuckDB reads on one thread, each key in five places.
#[test]
fn the_order_of_many_rows_is_known() {
    let mut shop = keyed("");
    let mut csv = String::from("id,v\n");
    for i in 0..400_000 {
        csv += &format!("{},{i}\n", i % 80_000);
    }
    shop.put("1.csv", &csv);
    assert_eq!(shop.run(), "80000 rows");
    let rows = shop.rows("id v");
    let wrong = rows.lines().find(|row| {
        let (id, v) = row.split_once('|').unwrap();
        id.parse::<u32>().unwrap() + 320_000 != v.parse::<u32>().unwrap()
    });
    assert_eq!(wrong, None);
}

#[test]
fn several_columns_may_be_the_key() {
    let mut shop = Shop::new("files: '*'\nprimary_key: [shop, 'Order No']");
    shop.put("1.csv", "shop,Order No,v\nA,1,a\nA,2,b\nB,1,c\n");
    assert_eq!(shop.run(), "3 rows");
    shop.put("2.csv", "shop,Order No,v\nB,1,d\nB,2,e\n");
    assert_eq!(shop.run(), "2 rows");
    let name = shop.names().split(' ').nth(1).unwrap().to_owned();
    assert_eq!(
        shop.rows(&format!("shop {name} v")),
        "A|1|a\nA|2|b\nB|1|d\nB|2|e"
    );
}

#[test]
fn a_row_without_a_key_does_not_fit() {
    let mut shop = Shop::new("files: '*'\nprimary_key: [id, n]");
    shop.put("1.csv", "id,n,v\n1,1,a\n,1,b\n2,,c\nx,1,d\n,,e\n");
    shop.configure("files: '*'\nprimary_key: [id, n]\ncolumns: {id: BIGINT}");
    assert!(shop.run().contains(
        "1.csv:3: `id` has no value, and it is part of the primary key\n  1.csv:4: `n` has no value, and it is part of the primary key\n  1.csv:5: `id` is not a BIGINT"
    ));
    shop.configure(
        "files: '*'\nprimary_key: [id, n]\ncolumns: {id: BIGINT}\non_bad_row: quarantine",
    );
    assert_eq!(shop.run(), "1 rows, 4 put aside");
    assert_eq!(shop.rows("id n v"), "1|1|a");
    assert_eq!(shop.quarantined("line column"), "3|id\n4|n\n5|id\n6|id, n");
    // Every row of a file that lacks the column.
    shop.put("2.csv", "id,v\n7,z\n");
    let said = shop.run();
    assert!(
        said.contains("`2.csv`: none of its rows fits (1): line 2: `n` has no value, and it is part of the primary key"),
        "{said}"
    );
    for (name, text) in [
        ("3.ndjson", "{\"id\": 9, \"n\": null}\n"),
        ("4.json", "[{\"id\": 9}]"),
    ] {
        let mut shop = Shop::new("files: '*'\nprimary_key: n\ncolumns: {n: BIGINT}");
        shop.put(name, text);
        let told = shop.run();
        assert!(
            told.contains("`n` has no value, and it is part of the primary key"),
            "{told}"
        );
    }
}

#[test]
fn the_last_row_is_told_beside_rows_that_do_not_fit() {
    let mut shop = keyed("columns: {id: BIGINT, v: BIGINT}\non_bad_row: quarantine");
    // Of more than two blocks, so that it would be taken apart in part only.
    let mut csv = String::from("id,v,text\n");
    let long = "x".repeat(1000);
    for i in 0..12_000 {
        csv += &format!("{},{i},{long}\n", i % 3_000);
    }
    csv += "7,bad,\n8,99,\n";
    shop.put("1.csv", &csv).put("0.csv", "id,v,text\n8,-1,\n");
    assert_eq!(shop.run(), "3000 rows, 1 put aside");
    let rows = shop.rows("id v");
    assert!(rows.lines().any(|row| row == "8|99"), "8");
    assert!(rows.lines().any(|row| row == "7|9007"), "7");
    assert!(rows.lines().any(|row| row == "2999|11999"), "2999");
}

#[test]
fn by_a_column_the_row_with_the_greatest_value_stays() {
    let mut shop = keyed("incremental_column: at\nlookback: 10");
    shop.put(
        "1.csv",
        "id,at,v\n1,5,new\n1,3,old\n2,7,a\n2,7,b\n3,,none\n",
    );
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("id at v"), "1|5|new\n2|7|b\n3|∅|none");
    // A later file with an older row changes nothing; one as new takes its place; a value beats none, and none no value.
    shop.put("2.csv", "id,at,v\n1,4,older\n2,7,c\n3,1,some\n1,,nothing\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.rows("id at v"), "1|5|new\n2|7|c\n3|1|some");
    shop.put("3.csv", "id,at,v\n2,,nothing\n4,,x\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id at v"), "1|5|new\n2|7|c\n3|1|some\n4|∅|x");
    assert_eq!(shop.run(), "nothing new");
}

#[test]
fn a_changed_file_is_read_again() {
    let mut shop = keyed("on_changed_file: reread");
    shop.put("1.csv", "id,v\n1,a\n2,a\n3,a\n4,a\n")
        .put("2.csv", "id,v\n2,b\n");
    assert_eq!(shop.run(), "4 rows");
    // The second file says of 3 what the first says, so it is its row too.
    shop.put("3.csv", "id,v\n3,a\n5,c\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(
        shop.rows("id v _comboi_file"),
        "1|a|1.csv\n2|b|2.csv\n3|a|3.csv\n4|a|1.csv\n5|c|3.csv"
    );
    shop.put("1.csv", "id,v\n1,A\n5,A\n");
    touch(&shop.path("in/1.csv"), 1);
    assert!(shop.run().starts_with("2 rows\n"));
    assert_eq!(
        shop.rows("id v _comboi_file"),
        "1|A|1.csv\n2|b|2.csv\n3|a|3.csv\n5|A|1.csv"
    );
}

#[test]
fn columns_may_come_and_types_grow() {
    let mut shop = keyed("");
    shop.put("1.csv", "id,v\n1,1\n2,2\n");
    shop.run();
    shop.put("2.csv", "id,v,w\n2,2.5,x\n");
    assert!(shop.run().starts_with("1 rows"));
    assert_eq!(shop.rows("id v w _comboi_run_id"), "1|1.0|∅|1\n2|2.5|x|2");
}

#[test]
fn own_columns_stay_though_new_rows_have_none() {
    let mut shop = keyed("");
    shop.put("1.csv", "id,v\n1,1\n2,2\n");
    shop.run();
    shop.configure("files: '*'\nprimary_key: id\nmetadata_columns: false");
    shop.put("2.csv", "id,v\n2,3\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(
        shop.rows("id v _comboi_file _comboi_run_id"),
        "1|1|1.csv|1\n2|3|∅|∅"
    );
}

#[test]
fn a_key_that_no_file_has_is_a_mistake() {
    let mut shop = Shop::new("files: '*'\nprimary_key: [id, nr]");
    shop.put("1.csv", "id,v\n1,1\n");
    assert!(shop.run().contains(
        "the files have no column `nr`, which is part of `primary_key`; they have id, v"
    ));
}
