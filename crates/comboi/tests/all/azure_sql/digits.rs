//! Dates and times with seven digits of a second. What is expected is written by hand.

use comboi_test::tds::{Type, Value};

use super::{Shop, told};

const RUN: &[&str] = &["run", "bronze"];

/// A table with each type of seven digits, and one of six.
fn shop(keys: &[&str]) -> Shop {
    let columns = [
        ("id", Type::Int),
        ("at", Type::DateTime2(7)),
        ("z", Type::DateTimeOffset(7)),
        ("d", Type::Time(7)),
        ("six", Type::DateTime2(6)),
    ];
    Shop::of(&columns, keys)
}

/// A row of 10 o'clock and so many times 100 nanoseconds.
fn write(shop: &Shop, id: i64, ticks: i64) {
    const DAY: i64 = 864_000_000_000;
    let time = 36_000 * 10_000_000 + ticks;
    // 2026-03-01 is day 739,675 since 0001-01-01.
    let at = 739_675 * DAY + time;
    let transaction = shop.model.begin();
    transaction.write(
        "t",
        vec![
            Value::Int(id),
            Value::DateTime2(at),
            Value::DateTimeOffset(at, 60),
            Value::Time(time.unsigned_abs()),
            Value::DateTime2(at / 10 * 10),
        ],
    );
    transaction.commit();
}

fn types(shop: &Shop) -> Vec<String> {
    let shown = shop.world.json(&["show", "t"]);
    let types = shown["types"].as_array().unwrap().iter();
    types
        .map(|it| it.as_str().unwrap().to_owned())
        .take(5)
        .collect()
}

#[test]
fn the_seventh_is_cut_off_and_counted() {
    let shop = shop(&["primary_key: id"]);
    write(&shop, 1, 1_234_567);
    write(&shop, 2, 1_234_560);
    assert_eq!(
        told(&shop, RUN, "warnings"),
        [
            "values with seven digits of a second, of which the lake keeps six: `at` has 1, `z` has 1, `d` has 1. \
          Write `columns: {at: TIMESTAMP}` to keep six without this warning, or `VARCHAR` to keep all digits as text"
        ]
    );
    let stamp = "TIMESTAMP";
    let zoned = "TIMESTAMP WITH TIME ZONE";
    assert_eq!(types(&shop), ["INTEGER", stamp, zoned, "TIME", stamp]);
    let row = |id: u32| {
        let at = "2026-03-01 10:00:00.123456";
        format!("{id},{at},{at}+00,10:00:00.123456,{at}")
    };
    assert_eq!(shop.world.rows("t"), [row(1), row(2)]);
}

#[test]
fn nothing_is_told_where_nothing_is_lost_or_a_type_is_written() {
    let plain = shop(&["primary_key: id"]);
    write(&plain, 1, 1_234_560);
    assert_eq!(told(&plain, RUN, "warnings"), [""; 0]);
    let declared = shop(&[
        "primary_key: id",
        "columns: {at: TIMESTAMP, z: VARCHAR, D: TIME}",
    ]);
    write(&declared, 1, 1_234_567);
    assert_eq!(told(&declared, RUN, "warnings"), [""; 0]);
    assert_eq!(
        declared.world.rows("t"),
        [
            "1,2026-03-01 10:00:00.123456,2026-03-01 11:00:00.1234567 +01:00,10:00:00.123456,2026-03-01 10:00:00.123456"
        ]
    );
}

/// An earlier comboi made such columns VARCHAR.
#[test]
fn a_table_that_has_them_as_text_keeps_them() {
    for policy in ["evolve", "discard"] {
        let keys = [
            "primary_key: id",
            "incremental_column: at",
            &format!("on_schema_change: {policy}"),
        ];
        let text = "columns: {at: VARCHAR, z: VARCHAR, d: VARCHAR}";
        let shop = shop(&[&keys[..], &[text]].concat());
        write(&shop, 1, 1_234_567);
        shop.world.outcomes(RUN);
        shop.configure(&keys);
        write(&shop, 2, 1_234_569);
        let report = shop.world.json(RUN);
        let notes = report["tasks"][0]["notes"].to_string();
        let stays = "`at`, `z`, `d` stay VARCHAR, as the table was made";
        assert_eq!(notes.contains(stays), policy == "evolve", "{report:#}");
        assert!(
            report["tasks"][0]["warnings"]
                .as_array()
                .unwrap()
                .is_empty()
        );
        let row = |id: u32, digit: u32| {
            format!(
                "{id},2026-03-01 10:00:00.123456{digit},2026-03-01 11:00:00.123456{digit} +01:00,10:00:00.123456{digit},2026-03-01 10:00:00.123456"
            )
        };
        assert_eq!(shop.world.rows("t"), [row(1, 7), row(2, 9)], "{policy}");
    }
}

/// The server tells them apart, the lake does not.
#[test]
fn rows_of_one_microsecond_are_neither_lost_nor_doubled() {
    for cursor in ["at", "z", "[at, six]"] {
        let cursor = format!("incremental_column: {cursor}");
        let shop = shop(&["query: \"SELECT at, z, six FROM t\"", &cursor]);
        write(&shop, 1, 1_234_561);
        assert_eq!(shop.world.outcomes(RUN), ["bronze/shop/t succeeded 1"]);
        write(&shop, 2, 1_234_565);
        assert_eq!(shop.world.outcomes(RUN), ["bronze/shop/t succeeded 1"]);
        write(&shop, 3, 1_234_569);
        write(&shop, 4, 1_234_569);
        assert_eq!(shop.world.outcomes(RUN), ["bronze/shop/t succeeded 2"]);
        assert_eq!(shop.world.outcomes(RUN), ["bronze/shop/t skipped 0"]);
        assert_eq!(shop.world.rows("t").len(), 4, "{cursor}");
    }
}
