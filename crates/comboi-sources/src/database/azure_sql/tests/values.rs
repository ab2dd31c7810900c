//! Each type with its extreme values, as it comes off the wire.

use comboi_test::tds::{Collation, Type, Value};

use super::*;

/// What is read of a column with these values, in order; `said` is the type that people want, if any.
fn check(of: Type, said: &str, cases: &[(Value, &str)]) {
    let (model, server) = served([Table::new("t", &[("id", Type::Int), ("c", of)])]);
    let transaction = model.begin();
    for (id, (value, _)) in (0_i64..).zip(cases) {
        transaction.write("t", vec![Value::Int(id), value.clone()]);
    }
    transaction.write("t", vec![Value::Int(1_000_000), Value::Null]);
    transaction.commit();
    let said: Vec<(&str, &str)> = if said.is_empty() {
        Vec::new()
    } else {
        vec![("c", said)]
    };
    let told = all_of(&server, "t", &said).unwrap().told();
    let values: Vec<&str> = told
        .iter()
        .filter_map(|line| line.split_once(" | ").map(|(_, value)| value))
        .collect();
    let expected: Vec<&str> = cases
        .iter()
        .map(|(_, text)| *text)
        .chain(["NULL"])
        .collect();
    assert_eq!(values, expected, "{}", of.name());
}

/// The error for a value that can't be kept.
fn refused(of: Type, value: Value) -> String {
    let (model, server) = served([Table::new("t", &[("id", Type::Int), ("c", of)])]);
    let transaction = model.begin();
    transaction.write("t", vec![Value::Int(1), value]);
    transaction.commit();
    all_of(&server, "t", &[])
        .map(|kept| kept.told())
        .unwrap_err()
        .to_string()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn whole_numbers() {
    let int = Value::Int;
    check(
        Type::Bit,
        "",
        &[(Value::Bit(true), "true"), (Value::Bit(false), "false")],
    );
    check(Type::TinyInt, "", &[(int(0), "0"), (int(255), "255")]);
    check(
        Type::SmallInt,
        "",
        &[(int(-32_768), "-32768"), (int(32_767), "32767")],
    );
    check(
        Type::Int,
        "",
        &[
            (int(-2_147_483_648), "-2147483648"),
            (int(2_147_483_647), "2147483647"),
        ],
    );
    check(
        Type::BigInt,
        "",
        &[
            (int(i64::MIN), "-9223372036854775808"),
            (int(i64::MAX), "9223372036854775807"),
        ],
    );
}

#[test]
fn numbers_with_digits_behind_the_point() {
    let decimal = Value::Decimal;
    check(
        Type::Decimal(5, 2),
        "",
        &[
            (decimal(99_999), "999.99"),
            (decimal(-1), "-0.01"),
            (decimal(0), "0.00"),
        ],
    );
    check(
        Type::Decimal(19, 0),
        "",
        &[(decimal(9_999_999_999_999_999_999), "9999999999999999999")],
    );
    check(
        Type::Decimal(28, 28),
        "",
        &[(
            decimal(-9_999_999_999_999_999_999_999_999_999),
            "-0.9999999999999999999999999999",
        )],
    );
    let most = 10_i128.pow(38) - 1;
    check(
        Type::Decimal(38, 0),
        "",
        &[
            (decimal(most), "99999999999999999999999999999999999999"),
            (decimal(-most), "-99999999999999999999999999999999999999"),
        ],
    );
    check(
        Type::Decimal(38, 10),
        "",
        &[
            (decimal(most), "9999999999999999999999999999.9999999999"),
            (decimal(1), "0.0000000001"),
        ],
    );
    check(
        Type::Money,
        "",
        &[
            (Value::Money(i64::MAX), "922337203685477.5807"),
            (Value::Money(i64::MIN), "-922337203685477.5808"),
            (Value::Money(-1), "-0.0001"),
            (Value::Money(0x1_0000_0000), "429496.7296"),
            (Value::Money(0x8000_0000), "214748.3648"),
        ],
    );
    check(
        Type::SmallMoney,
        "",
        &[
            (Value::Money(i32::MAX.into()), "214748.3647"),
            (Value::Money(i32::MIN.into()), "-214748.3648"),
        ],
    );
    check(
        Type::Real,
        "",
        &[
            (Value::Real(f32::MAX), "3.4028235e38"),
            (Value::Real(-f32::MIN_POSITIVE), "-1.1754944e-38"),
            (Value::Real(0.1), "1e-1"),
        ],
    );
    check(
        Type::Float,
        "",
        &[
            (Value::Float(f64::MAX), "1.7976931348623157e308"),
            (Value::Float(-0.0), "-0e0"),
            (Value::Float(0.1), "1e-1"),
        ],
    );
}

const DAY: i64 = 864_000_000_000;
/// 9999-12-31.
const LAST: i64 = 3_652_058;

#[test]
fn dates_and_times() {
    check(
        Type::Date,
        "",
        &[
            (Value::Date(0), "0001-01-01"),
            (Value::Date(LAST), "9999-12-31"),
            (Value::Date(719_161), "1969-12-31"),
        ],
    );
    let day = DAY.unsigned_abs();
    check(
        Type::Time(0),
        "",
        &[
            (Value::Time(day - 10_000_000), "23:59:59"),
            (Value::Time(0), "00:00:00"),
        ],
    );
    check(
        Type::Time(3),
        "",
        &[(Value::Time(day - 10_000), "23:59:59.999")],
    );
    check(
        Type::Time(6),
        "",
        &[
            (Value::Time(day - 10), "23:59:59.999999"),
            (Value::Time(5_000_000), "00:00:00.5"),
        ],
    );
    check(
        Type::Time(7),
        "VARCHAR",
        &[
            (Value::Time(day - 1), "23:59:59.9999999"),
            (Value::Time(0), "00:00:00.0000000"),
        ],
    );
    for said in ["", "TIME"] {
        check(
            Type::Time(7),
            said,
            &[(Value::Time(day - 1), "23:59:59.999999")],
        );
    }
    check(
        Type::DateTime,
        "",
        &[
            (Value::DateTime(-53_690, 0), "1753-01-01 00:00:00"),
            (
                Value::DateTime(2_958_463, 25_919_999),
                "9999-12-31 23:59:59.997",
            ),
            (Value::DateTime(0, 1), "1900-01-01 00:00:00.003"),
            (Value::DateTime(0, 2), "1900-01-01 00:00:00.007"),
        ],
    );
    check(
        Type::SmallDateTime,
        "",
        &[
            (Value::SmallDateTime(0, 0), "1900-01-01 00:00:00"),
            (Value::SmallDateTime(65_535, 1439), "2079-06-06 23:59:00"),
        ],
    );
}

#[test]
fn moments_keep_their_digits() {
    let end = (LAST + 1) * DAY;
    let moment = Value::DateTime2;
    check(
        Type::DateTime2(0),
        "",
        &[
            (moment(0), "0001-01-01 00:00:00"),
            (moment(end - 10_000_000), "9999-12-31 23:59:59"),
        ],
    );
    check(
        Type::DateTime2(3),
        "",
        &[(moment(end - 10_000), "9999-12-31 23:59:59.999")],
    );
    check(
        Type::DateTime2(6),
        "",
        &[
            (moment(end - 10), "9999-12-31 23:59:59.999999"),
            (moment(719_161 * DAY + 10), "1969-12-31 00:00:00.000001"),
        ],
    );
    check(
        Type::DateTime2(7),
        "VARCHAR",
        &[
            (moment(end - 1), "9999-12-31 23:59:59.9999999"),
            (moment(0), "0001-01-01 00:00:00.0000000"),
        ],
    );
    for said in ["", "TIMESTAMP"] {
        check(
            Type::DateTime2(7),
            said,
            &[(moment(end - 1), "9999-12-31 23:59:59.999999")],
        );
    }
    let zoned = Value::DateTimeOffset;
    let noon = 739_675 * DAY + DAY / 2;
    check(
        Type::DateTimeOffset(0),
        "",
        &[
            (zoned(noon, 840), "2026-03-01 12:00:00"),
            (zoned(noon, -840), "2026-03-01 12:00:00"),
        ],
    );
    check(
        Type::DateTimeOffset(6),
        "",
        &[(zoned(noon + 10, 60), "2026-03-01 12:00:00.000001")],
    );
    check(
        Type::DateTimeOffset(7),
        "VARCHAR",
        &[
            (zoned(noon + 1, 840), "2026-03-02 02:00:00.0000001 +14:00"),
            (zoned(noon, -750), "2026-02-28 23:30:00.0000000 -12:30"),
            (zoned(end - 1, 0), "9999-12-31 23:59:59.9999999 +00:00"),
        ],
    );
    for said in ["", "TIMESTAMPTZ"] {
        check(
            Type::DateTimeOffset(7),
            said,
            &[(zoned(noon + 19, 840), "2026-03-01 12:00:00.000001")],
        );
    }
}

#[test]
fn texts() {
    for of in [
        Type::NVarChar(4000),
        Type::NChar(10),
        Type::NText,
        Type::NVarChar(0),
        Type::Xml,
    ] {
        check(
            of,
            "",
            &[
                (text(""), ""),
                (text("naïve 😀 \u{10ffff}"), "naïve 😀 \u{10ffff}"),
                (text("a\0b"), "a\0b"),
            ],
        );
    }
    let long = "0123456789äöü😀".repeat(5000);
    check(
        Type::NVarChar(0),
        "",
        &[(text(&long), &long), (text("short"), "short")],
    );
    check(
        Type::VarChar(0, Collation::Utf8),
        "",
        &[(text(&long), &long)],
    );
    check(
        Type::Char(10, Collation::Latin1),
        "",
        &[(text("padded    "), "padded    ")],
    );
    let raw = |bytes: &[u8]| Value::Raw(bytes.to_vec());
    for of in [
        Type::VarChar(20, Collation::Latin1),
        Type::Text(Collation::Latin1),
        Type::VarChar(0, Collation::Latin1),
    ] {
        check(of, "", &[(raw(b"\x80 na\xefve \xdf"), "€ naïve ß")]);
    }
    check(
        Type::VarChar(20, Collation::Cp850),
        "",
        &[(raw(b"na\x8bve \xe1"), "naïve ß")],
    );
    check(
        Type::VarChar(20, Collation::Japanese),
        "",
        &[(raw(b"\x93\xfa\x96\x7b"), "日本")],
    );
    check(
        Type::VarChar(20, Collation::Utf8),
        "",
        &[(text("naïve 😀"), "naïve 😀")],
    );
}

#[test]
fn a_text_that_can_not_be_kept_is_an_error_that_does_not_show_it() {
    let half = refused(Type::NVarChar(10), Value::Raw(vec![0x41, 0, 0x3d, 0xd8]));
    assert!(half.starts_with("a value of column `c` can't be kept: a text is not valid UTF-16 (half of a surrogate pair)"), "{half}");
    let long = refused(Type::NVarChar(0), Value::Raw(vec![0, 0xdc, 0x41, 0]));
    assert!(long.contains("half of a surrogate pair"), "{long}");
    let page = refused(
        Type::VarChar(20, Collation::Japanese),
        Value::Raw(b"\x93".to_vec()),
    );
    assert!(
        page.contains("bytes that its code page does not have"),
        "{page}"
    );
    let utf8 = refused(
        Type::VarChar(20, Collation::Utf8),
        Value::Raw(vec![0x41, 0xff]),
    );
    assert!(
        utf8.contains("bytes that its code page does not have"),
        "{utf8}"
    );
}

#[test]
fn bytes_and_what_is_made_of_them() {
    let bytes = |it: &[u8]| Value::Bytes(it.to_vec());
    for of in [
        Type::Binary(3),
        Type::VarBinary(8000),
        Type::VarBinary(0),
        Type::Image,
    ] {
        check(of, "", &[(bytes(&[0, 255, 10]), "00ff0a")]);
    }
    let long = vec![0xab; 100_000];
    check(
        Type::VarBinary(0),
        "",
        &[(bytes(&long), &"ab".repeat(100_000)), (bytes(&[]), "")],
    );
    let uuid = [
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
        0xff,
    ];
    check(
        Type::Uuid,
        "",
        &[(Value::Uuid(uuid), "00112233-4455-6677-8899-aabbccddeeff")],
    );
}

#[test]
fn row_versions_are_the_texts_that_checkpoints_have() {
    for (said, expected) in [("", "0x00000000000007D1"), ("BLOB", "00000000000007d1")] {
        let (model, server) = served([Table::new(
            "t",
            &[("id", Type::Int), ("rv", Type::Rowversion)],
        )]);
        let transaction = model.begin();
        transaction.write("t", vec![Value::Int(1), Value::Null]);
        transaction.commit();
        let said: Vec<(&str, &str)> = if said.is_empty() {
            Vec::new()
        } else {
            vec![("rv", said)]
        };
        assert_eq!(
            all_of(&server, "t", &said).unwrap().told(),
            [format!("1 | {expected}")]
        );
    }
}

#[test]
fn rows_of_many_nulls_come_compressed() {
    let columns: Vec<(String, Type)> = (0..20)
        .map(|at| {
            (
                format!("c{at}"),
                if at % 2 == 0 {
                    Type::Int
                } else {
                    Type::NVarChar(0)
                },
            )
        })
        .collect();
    let columns: Vec<(&str, Type)> = columns
        .iter()
        .map(|(name, of)| (name.as_str(), *of))
        .collect();
    let (model, server) = served([Table::new("t", &columns)]);
    let transaction = model.begin();
    for id in 0..3 {
        let mut row = vec![Value::Null; 20];
        row[0] = Value::Int(id);
        row[17] = text("there");
        transaction.write("t", row);
    }
    transaction.commit();
    let nulls = vec!["NULL"; 16].join(" | ");
    let told: Vec<String> = (0..3)
        .map(|id| format!("{id} | {nulls} | there | NULL | NULL"))
        .collect();
    assert_eq!(all_of(&server, "t", &[]).unwrap().told(), told);
}
