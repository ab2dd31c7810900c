//! Dates and times in the future, which the checkpoint does not follow, and rows that it left behind. It is January 2027.

use crate::shop::{Shop, touch};

const BELOW: &str =
    "rows of new files that were not loaded, because their `at` is below the checkpoint: ";

fn future(count: u32) -> String {
    format!(
        "rows whose `at` is later than this machine's clock and `max_future`: {count}. They are loaded and do not move the checkpoint; correct them in the files"
    )
}

fn below(count: u32) -> String {
    format!(
        "{BELOW}{count}; a longer `lookback` loads such rows, and so does `comboi reset-checkpoint`, which reads everything again"
    )
}

fn shop(more: &str) -> Shop {
    Shop::new(&format!("files: '*.csv'\nincremental_column: at\n{more}"))
}

/// The value of the checkpoint.
fn watermark(shop: &Shop) -> String {
    let checkpoint: serde_json::Value =
        serde_json::from_str(shop.checkpoint.as_ref().unwrap()).unwrap();
    let value = &checkpoint["watermark"]["value"];
    value.as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_sentinel_is_loaded_once_and_does_not_become_the_checkpoint() {
    let mut shop = shop("");
    shop.put("1.csv", "at,v\n2023-01-01,a\n9999-12-31,b\n9999-12-31,b\n");
    assert_eq!(shop.run(), format!("3 rows\n{}", future(2)));
    assert_eq!(watermark(&shop), "2023-01-01");
    shop.put("2.csv", "at,v\n2023-02-01,c\n9999-12-31,b\n9998-01-01,d\n");
    // The third row of the first file is the same as one of the second, and there is one more of them.
    assert_eq!(shop.run(), format!("3 rows\n{}", future(4)));
    assert_eq!(watermark(&shop), "2023-02-01");
    shop.put("3.csv", "at,v\n2023-02-02,e\n");
    assert_eq!(shop.run(), format!("1 rows\n{}", future(4)));
    assert_eq!(shop.run(), "nothing new");
    assert_eq!(
        shop.rows("at v"),
        "2023-01-01|a\n2023-02-01|c\n2023-02-02|e\n9998-01-01|d\n9999-12-31|b\n9999-12-31|b\n9999-12-31|b"
    );
}

#[test]
fn a_day_is_what_a_clock_may_be_ahead() {
    // The first run is at 2027-01-15 08:00:01.
    for (sql_type, in_time, late) in [
        ("TIMESTAMP", "2027-01-16 08:00:01", "2027-01-16 08:00:02"),
        (
            "TIMESTAMPTZ",
            "2027-01-16 08:00:01+00",
            "2027-01-16 08:00:02+00",
        ),
        ("DATE", "2027-01-16", "2027-01-17"),
    ] {
        let mut shop = shop(&format!("columns: {{at: {sql_type}}}"));
        shop.put("1.csv", format!("at,v\n{in_time},a\n{late},b\n"));
        assert_eq!(shop.run(), format!("2 rows\n{}", future(1)), "{sql_type}");
        assert_eq!(watermark(&shop), in_time);
        touch(&shop.path("in/1.csv"), 1);
        assert!(shop.run().starts_with("0 rows"), "{sql_type}");
        assert_eq!(shop.row_count(), 2);
    }
}

#[test]
fn a_table_says_how_far_a_clock_may_be_ahead() {
    for (span, in_time, late) in [
        ("1h", "2027-01-15 09:00:01", "2027-01-15 09:00:02"),
        ("2w", "2027-01-29 08:00:01", "2027-01-29 08:00:02"),
    ] {
        let mut shop = shop(&format!("max_future: {span}"));
        shop.put("1.csv", format!("at,v\n{in_time},a\n{late},b\n"));
        assert_eq!(shop.run(), format!("2 rows\n{}", future(1)), "{span}");
        assert_eq!(watermark(&shop), in_time);
    }
}

#[test]
fn a_table_of_nothing_but_the_future_is_not_doubled() {
    for more in ["", "primary_key: v"] {
        let mut shop = shop(more);
        shop.put("1.csv", "at,v\n9999-12-31,a\n,b\n");
        assert_eq!(shop.run(), format!("2 rows\n{}", future(1)));
        assert_eq!(watermark(&shop), "none");
        shop.put("2.csv", "at,v\n9999-12-31,c\n2023-01-01,d\n");
        assert_eq!(shop.run(), format!("2 rows\n{}", future(2)));
        assert_eq!(watermark(&shop), "2023-01-01");
        assert_eq!(
            shop.rows("at v"),
            "2023-01-01|d\n9999-12-31|a\n9999-12-31|c\n∅|b"
        );
    }
}

#[test]
fn numbers_and_texts_have_no_future() {
    let mut shop = shop("columns: {at: VARCHAR}");
    shop.put("1.csv", "at,v\n9999-12-31,a\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(watermark(&shop), "9999-12-31");
}

#[test]
fn rows_of_new_files_below_the_checkpoint_are_counted() {
    for more in ["", "primary_key: v", "lookback: 1", "on_null: skip"] {
        let mut shop = shop(more);
        shop.put("1.csv", "at,v\n1,a\n5,b\n");
        assert_eq!(shop.run(), "2 rows");
        // The old file is read too, and its rows below the checkpoint are there.
        shop.put("2.csv", "at,v\n1,c\n2,d\n5,e\n6,f\n");
        assert_eq!(shop.run(), format!("2 rows\n{}", below(2)), "{more}");
        shop.put("3.csv", "at,v\n1,g\n");
        assert_eq!(shop.run(), format!("0 rows\n{}", below(1)), "{more}");
        assert_eq!(shop.rows("at v"), "1|a\n5|b\n5|e\n6|f", "{more}");
    }
}

#[test]
fn a_checkpoint_in_the_future_is_told_with_what_to_do() {
    let mut shop = shop("");
    shop.put("1.csv", "at,v\n2023-01-01,a\n9999-12-31,b\n");
    shop.run();
    // As an older comboi left it.
    let checkpoint = shop.checkpoint.take().unwrap();
    shop.checkpoint = Some(checkpoint.replace("2023-01-01", "9999-12-31"));
    let told = "the checkpoint is `at` = 9999-12-31, which is in the future: rows below it are not loaded; `comboi reset-checkpoint --source shop --table things` makes the next run read everything again";
    assert_eq!(shop.run(), format!("nothing new\n{told}"));
    shop.put("2.csv", "at,v\n2023-02-01,c\n");
    assert_eq!(
        shop.run(),
        format!("0 rows\n{told}\n{}\n{}", below(1), future(1))
    );
    assert_eq!(watermark(&shop), "9999-12-31");
    shop.checkpoint = None;
    assert_eq!(shop.run(), format!("3 rows\n{}", future(1)));
    assert_eq!(watermark(&shop), "2023-02-01");
}
