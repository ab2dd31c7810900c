//! Values whose columns get other types than those of SQL Server. What is expected is written by hand.

use comboi_test::tds::{Type, Value};

use super::Shop;

fn shop(of: Type, said: &str, value: Value) -> Shop {
    let columns = format!("columns: {{v: \"{said}\"}}");
    let shop = Shop::of(&[("id", Type::Int), ("v", of)], &[&columns]);
    let transaction = shop.model.begin();
    transaction.write("t", vec![Value::Int(1), value]);
    transaction.commit();
    shop
}

fn check(of: Type, said: &str, value: Value, expected: &str) {
    let shop = shop(of, said, value);
    shop.world.outcomes(&["run", "bronze"]);
    let rows = shop.world.rows("t");
    assert_eq!(rows, [format!("1,{expected}")], "{of:?} {said}");
}

fn check_refused(of: Type, said: &str, value: Value) {
    let shop = shop(of, said, value);
    let report = shop.world.json(&["run", "bronze"]);
    let message = report["tasks"][0]["failure"]["message"].as_str();
    let expected = format!(
        "some values do not fit the types that their columns have in the lake (`v` {said})"
    );
    assert!(
        message.is_some_and(|it| it.starts_with(&expected)),
        "{of:?} {report:#}"
    );
}

/// IEEE 754: 0.1 of 64 bits is not 0.1 of 32 bits, 2^53 + 1 is no number of 64 bits.
#[test]
fn values_are_the_same_or_refused() {
    check(Type::Float, "FLOAT", Value::Float(0.5), "0.5");
    check_refused(Type::Float, "FLOAT", Value::Float(0.1));
    check_refused(Type::Float, "BIGINT", Value::Float(1.5));
    check(
        Type::Real,
        "DOUBLE",
        Value::Real(0.1),
        "0.10000000149011612",
    );
    check_refused(Type::BigInt, "DOUBLE", Value::Int(9_007_199_254_740_993));
    check(Type::BigInt, "SMALLINT", Value::Int(-32_768), "-32768");
    check_refused(Type::BigInt, "SMALLINT", Value::Int(32_768));
    check(Type::Bit, "INTEGER", Value::Bit(true), "1");
    check(Type::Money, "DOUBLE", Value::Money(10_100), "1.01");
    check(
        Type::Decimal(9, 2),
        "DECIMAL(9,1)",
        Value::Decimal(110),
        "1.1",
    );
    check_refused(Type::Decimal(9, 2), "DECIMAL(9,1)", Value::Decimal(111));
    const DAY: i64 = 864_000_000_000;
    let at = |ticks: i64| Value::DateTime2(739_675 * DAY + ticks);
    check(Type::DateTime2(3), "DATE", at(0), "2026-03-01");
    check_refused(Type::DateTime2(3), "DATE", at(10_000));
    check_refused(Type::DateTime2(7), "DATE", at(1));
    check_refused(Type::DateTime2(7), "TIMESTAMP WITH TIME ZONE", at(1));
    let text = |it: &str| Value::Text(it.to_owned());
    check(Type::NVarChar(50), "JSON", text("[1.10]"), "[1.10]");
    for bad in ["[1,]", "NaN", "\"\\ud800\""] {
        check_refused(Type::NVarChar(50), "JSON", text(bad));
    }
    check_refused(Type::NVarChar(50), "TIME", text("12:00+02:00"));
}
