//! What is new: by file, and by a column that grows.

use crate::shop::{Shop, touch};

#[test]
fn only_new_files_are_read() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id\n1\n2\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.run(), "nothing new");
    shop.put("2.csv", "id\n2\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(
        shop.rows("id _comboi_file _comboi_run_id _comboi_loaded_at"),
        "1|1.csv|1|2027-01-15 08:00:01+00\n2|1.csv|1|2027-01-15 08:00:01+00\n2|2.csv|2|2027-01-15 08:00:02+00"
    );
    // A reset reads everything anew.
    shop.checkpoint = None;
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.row_count(), 3);
}

#[test]
fn a_changed_file_by_policy() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id\n1\n").put("2.csv", "id\n2\n");
    shop.run();
    shop.put("1.csv", "id\n10\n11\n");
    let note = "`1.csv` changed after it was read; its old rows stay (`on_changed_file: reread` would replace them)";
    assert_eq!(shop.run(), format!("nothing new\n{note}"));
    shop.put("3.csv", "id\n3\n");
    assert_eq!(shop.run(), format!("1 rows\n{note}"));
    assert_eq!(shop.run(), format!("nothing new\n{note}"));
    shop.configure("files: '*.csv'\non_changed_file: fail");
    assert!(
        shop.run()
            .starts_with("error: `1.csv`: changed after it was read")
    );
    shop.configure("files: '*.csv'\non_changed_file: reread");
    assert_eq!(
        shop.run(),
        "2 rows\n`1.csv` changed after it was read; its rows are replaced"
    );
    assert_eq!(
        shop.rows("id _comboi_file"),
        "10|1.csv\n11|1.csv\n2|2.csv\n3|3.csv"
    );
    assert_eq!(shop.run(), "nothing new");
}

/// As after a copy of the folder: one note, with the first ten.
#[test]
fn many_files_are_one_note() {
    let mut shop = Shop::new("files: '*.csv'");
    for day in 10..22 {
        shop.put(&format!("{day}.csv"), "id\n1\n");
    }
    shop.run();
    for day in 10..22 {
        shop.put(&format!("{day}.csv"), "id\n10\n");
    }
    assert_eq!(
        shop.run(),
        "nothing new\n`10.csv`, `11.csv`, `12.csv`, `13.csv`, `14.csv`, `15.csv`, `16.csv`, `17.csv`, `18.csv`, \
         `19.csv` and 2 more changed after they were read; their old rows stay (`on_changed_file: reread` would replace them)"
    );
}

#[test]
fn a_file_that_is_gone_keeps_its_rows() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id\n1\n");
    shop.run();
    std::fs::remove_file(shop.path("in/1.csv")).unwrap();
    shop.put("2.csv", "id\n2\n");
    assert_eq!(
        shop.run(),
        "1 rows\n`1.csv` is not there any more; its rows stay"
    );
    assert_eq!(shop.run(), "nothing new");
    assert_eq!(shop.rows("id"), "1\n2");
}

#[test]
fn full_replaces_everything_when_something_changed() {
    let mut shop = Shop::new("files: '*.csv'\nincremental: full");
    shop.put("1.csv", "id\n1\n");
    shop.run();
    assert_eq!(shop.run(), "nothing new");
    shop.put("2.csv", "id\n2\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.rows("id"), "1\n2");
    std::fs::remove_file(shop.path("in/1.csv")).unwrap();
    assert_eq!(shop.run(), "1 rows");
    std::fs::remove_file(shop.path("in/2.csv")).unwrap();
    assert_eq!(shop.run(), "nothing new\nno file matches `*.csv`");
    assert_eq!(shop.rows("id"), "2");
}

/// A file that grows, version by version; what each run loads, and what is there in the end.
fn check_column(table: &str, versions: &[(&str, &str)], rows: &str) -> Shop {
    let mut shop = Shop::new(&format!("files: a.csv\nincremental_column: at\n{table}"));
    for (i, (content, expected)) in versions.iter().enumerate() {
        shop.put("a.csv", content);
        touch(&shop.path("in/a.csv"), u64::try_from(i).unwrap());
        assert_eq!(shop.run(), *expected, "version {}", i + 1);
    }
    assert_eq!(shop.rows("at v"), rows);
    shop
}

#[test]
fn ties_are_neither_lost_nor_doubled() {
    check_column(
        "",
        &[
            ("at,v\n1,a\n2,b\n2,c\n", "3 rows"),
            ("at,v\n1,a\n2,b\n2,c\n2,d\n3,e\n", "2 rows"),
            // Below the checkpoint: late, and not looked at.
            ("at,v\n1,late\n3,e\n", "0 rows"),
        ],
        "1|a\n2|b\n2|c\n2|d\n3|e",
    );
}

#[test]
fn identical_rows_are_counted() {
    check_column(
        "",
        &[
            ("at,v\n1,a\n1,a\n", "2 rows"),
            ("at,v\n1,a\n1,a\n1,a\n1,a\n", "2 rows"),
            ("at,v\n1,a\n", "0 rows"),
        ],
        "1|a\n1|a\n1|a\n1|a",
    );
}

#[test]
fn rows_without_a_value_by_policy() {
    check_column(
        "",
        &[
            ("at,v\n1,a\n,b\n", "2 rows"),
            ("at,v\n1,a\n,b\n,b\n,c\n2,d\n", "3 rows"),
        ],
        "1|a\n2|d\n∅|b\n∅|b\n∅|c",
    );
    check_column(
        "on_null: skip",
        &[
            (
                "at,v\n1,a\n,b\n",
                "1 rows\nrows without a value in `at` that were left out: 1",
            ),
            ("at,v\n1,a\n2,d\n", "1 rows"),
        ],
        "1|a\n2|d",
    );
    let mut shop = Shop::new("files: a.csv\nincremental_column: at\non_null: fail");
    shop.put("a.csv", "at,v\n1,a\n,b\n");
    assert_eq!(
        shop.run(),
        "error: a row has no value in `at`, the incremental column (`on_null: fail`); nothing was loaded"
    );
}

#[test]
fn a_lookback_of_another_kind_is_told_in_the_first_run() {
    for (lookback, value, told) in [
        (
            "2",
            "2026-03-01",
            "`2` can't be subtracted from `at`, which is DATE; write a span, such as `12h`",
        ),
        (
            "3d",
            "7",
            "`3d` can't be subtracted from `at`, which is BIGINT; write a plain number, such as `500`",
        ),
        (
            "3d",
            "x",
            "`3d` can't be subtracted from `at`, which is VARCHAR; leave it out",
        ),
    ] {
        let mut shop = Shop::new(&format!(
            "files: '*.csv'\nincremental_column: at\nlookback: {lookback}"
        ));
        shop.put("1.csv", format!("at,v\n{value},a\n"));
        let said = shop.run();
        assert!(said.starts_with("error: ") && said.contains(told), "{said}");
    }
}

#[test]
fn late_rows_within_the_lookback_are_found() {
    check_column(
        "lookback: 3d\ncolumns: {at: TIMESTAMP}",
        &[
            (
                "at,v\n2026-03-01 10:00:00,a\n2026-03-10 00:00:00,b\n",
                "2 rows",
            ),
            (
                "at,v\n2026-03-01 10:00:00,a\n2026-03-06 23:59:59,too late\n2026-03-07 00:00:00,late\n2026-03-10 00:00:00,b\n2026-03-10 00:00:01,c\n",
                "2 rows",
            ),
            (
                "at,v\n2026-03-07 00:00:00,late\n2026-03-10 00:00:01,c\n",
                "0 rows",
            ),
        ],
        "2026-03-01 10:00:00|a\n2026-03-07 00:00:00|late\n2026-03-10 00:00:00|b\n2026-03-10 00:00:01|c",
    );
    check_column(
        "lookback: 2",
        &[
            ("at,v\n10,a\n", "1 rows"),
            ("at,v\n7,x\n8,y\n10,a\n", "1 rows"),
        ],
        "10|a\n8|y",
    );
}

#[test]
fn the_watermark_is_exact() {
    let shop = check_column(
        "columns: {at: 'DECIMAL(38,10)'}",
        &[
            ("at,v\n12345678901234567890.0123456788,a\n", "1 rows"),
            (
                "at,v\n12345678901234567890.0123456788,a\n12345678901234567890.0123456789,b\n",
                "1 rows",
            ),
        ],
        "12345678901234567890.0123456788|a\n12345678901234567890.0123456789|b",
    );
    let checkpoint = shop.checkpoint.unwrap();
    assert!(
        checkpoint.contains(r#""type":"DECIMAL(38,10)","value":"12345678901234567890.0123456789""#),
        "{checkpoint}"
    );
    check_column(
        "columns: {at: TIMESTAMPTZ}",
        &[
            ("at,v\n2026-03-01T00:00:00.000001Z,a\n", "1 rows"),
            (
                "at,v\n2026-03-01T00:00:00.000001Z,a\n2026-03-01T02:00:00.000002+02:00,b\n",
                "1 rows",
            ),
        ],
        "2026-03-01 00:00:00.000001+00|a\n2026-03-01 00:00:00.000002+00|b",
    );
    check_column(
        "columns: {at: VARCHAR}",
        &[
            ("at,v\nB,a\n", "1 rows"),
            ("at,v\nA,x\nB,a\na,y\n", "1 rows"),
        ],
        "B|a\na|y",
    );
}

#[test]
fn a_column_that_comes_later_does_not_double_rows_at_the_boundary() {
    let mut shop = Shop::new("files: a.csv\nincremental_column: at");
    shop.put("a.csv", "at,v\n1,a\n2,b\n");
    shop.run();
    shop.put("a.csv", "at,v,w\n1,a,x\n2,b,y\n2,c,z\n");
    assert_eq!(shop.run(), "1 rows\nnew column `w` (VARCHAR)");
    assert_eq!(shop.rows("at v w"), "1|a|∅\n2|b|∅\n2|c|z");
    // Nor in the runs after that, also when older rows were written anew.
    shop.put("a.csv", "at,v,w\n1,a,x\n2,b,y\n2,c,z\n2,b,y\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("a.csv", "at,v,w\n1,a,x\n2,b,y\n2,c,z\n2,b,y\n2.5,d,\n");
    shop.configure("files: a.csv\nincremental_column: at\ncolumns: {at: 'DECIMAL(9,1)'}");
    assert_eq!(shop.run(), "1 rows\n`at` is DECIMAL(9,1) instead of BIGINT");
    shop.put("a.csv", "at,v,w\n2.5,d,\n2.5,d,x\n2,b,y\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(
        shop.rows("at v w"),
        "1.0|a|∅\n2.0|b|y\n2.0|b|∅\n2.0|c|z\n2.5|d|x\n2.5|d|∅"
    );
}

#[test]
fn a_column_that_goes_or_gets_another_name_does_not_double_rows_at_the_boundary() {
    let mut shop = Shop::new("files: a.csv\nincremental_column: at");
    shop.put("a.csv", "at,k,v\n1,x,a\n2,y,b\n");
    shop.run();
    let gone = |name: &str| {
        format!(
            "1 rows\nthe source has no `{name}` any more (dropped or renamed): NULL in every row that is read from now on"
        )
    };
    shop.put("a.csv", "at,k,w\n1,x,a\n2,y,b\n2,z,c\n");
    assert_eq!(
        shop.run(),
        gone("v").replacen("rows", "rows\nnew column `w` (VARCHAR)", 1)
    );
    shop.put("a.csv", "at,k,w\n1,x,a\n2,y,b\n2,z,c\n2,y,b\n");
    assert_eq!(shop.run(), gone("v"));
    let rows = "1|x|a|∅\n2|y|b|∅\n2|y|∅|b\n2|z|∅|c";
    assert_eq!(shop.rows("at k v w"), rows);
    shop.put("a.csv", "at,k,v\n1,x,a\n2,y,b\n2,z,c\n2,y,b\n2,u,d\n");
    assert_eq!(shop.run(), gone("w"));
    assert_eq!(
        shop.rows("at k v w"),
        rows.replacen("\n2|y", "\n2|u|d|∅\n2|y", 1)
    );
}

#[test]
fn another_way_to_tell_what_is_new_needs_a_reset() {
    let mut shop = Shop::new("files: a.csv\nincremental_column: at");
    shop.put("a.csv", "at,v\n1,2\n");
    shop.run();
    shop.configure("files: a.csv\nincremental_column: v");
    assert!(
        shop.run()
            .contains("the table was read by `at` before, and now `incremental_column` is `v`")
    );
    shop.configure("files: a.csv");
    assert!(
        shop.run()
            .contains("`incremental: column` before, and now it is `new_files`")
    );
    let mut shop = Shop::new("files: a.csv\nincremental_column: when");
    shop.put("a.csv", "at,v\n1,2\n");
    assert!(
        shop.run()
            .contains("the files have no column `when`, the incremental column; they have at, v")
    );
}

#[test]
fn nothing_but_a_header_is_no_rows_and_changes_nothing() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,v\n1,x\n");
    shop.run();
    let types = shop.types();
    shop.put("2.csv", "id,v\n");
    assert_eq!(shop.run(), "0 rows");
    assert_eq!(shop.run(), "nothing new");
    assert_eq!(shop.types(), types);
    assert_eq!(shop.rows("id v"), "1|x");
    // How far the table was read is not forgotten.
    check_column(
        "",
        &[
            ("at,v\n5,a\n", "1 rows"),
            ("at,v\n", "0 rows"),
            ("at,v\n4,b\n5,a\n6,c\n", "1 rows"),
        ],
        "5|a\n6|c",
    );
}

#[test]
fn a_ledger_over_two_days() {
    let mut shop = Shop::new(
        "files: ledger.csv\nincremental_column: booked_at\nlookback: 3d\ncsv: {delimiter: ';', decimal_separator: ',', timestamp_format: '%d.%m.%Y %H:%M:%S'}\ncolumns: {booked_at: TIMESTAMP, amount: 'DECIMAL(12,2)'}",
    );
    let header = "id;booked_at;amount;status\n";
    let first = "1;27.02.2026 09:00:00;10,00;paid\n2;01.03.2026 09:30:00;-5,50;refund\n3;01.03.2026 23:59:59;1234,50;paid\n4;01.03.2026 23:59:59;0,99;paid\n";
    shop.put("ledger.csv", format!("{header}{first}"));
    assert_eq!(shop.run(), "4 rows");
    assert_eq!(shop.run(), "nothing new");
    // Rows that are there once more are rows once more (2 and 4); 7 is a second too late.
    let second = "5;01.03.2026 23:59:59;2,00;paid\n4;01.03.2026 23:59:59;0,99;paid\n6;26.02.2026 23:59:59;3,00;late\n7;26.02.2026 23:59:58;4,00;too late\n2;01.03.2026 09:30:00;-5,50;refund\n8;02.03.2026 00:00:00;1,00;paid\n";
    shop.put("ledger.csv", format!("{header}{first}{second}"));
    assert_eq!(shop.run(), "5 rows");
    assert_eq!(shop.run(), "nothing new");
    assert_eq!(
        shop.rows("booked_at id amount status _comboi_run_id"),
        "2026-02-26 23:59:59|6|3.00|late|2\n2026-02-27 09:00:00|1|10.00|paid|1\n2026-03-01 09:30:00|2|-5.50|refund|1\n2026-03-01 09:30:00|2|-5.50|refund|2\n2026-03-01 23:59:59|3|1234.50|paid|1\n2026-03-01 23:59:59|4|0.99|paid|1\n2026-03-01 23:59:59|4|0.99|paid|2\n2026-03-01 23:59:59|5|2.00|paid|2\n2026-03-02 00:00:00|8|1.00|paid|2"
    );
}
