//! Which texts are values of which types: of types that are declared, and of types that were found.
//!
//! The table of docs/types.md ("Texts of files"), row by row.

use crate::shop::Shop;

/// Each text goes into a column of the declared type, and becomes this value; `✗`: it is a bad row.
pub(crate) fn declared(sql_type: &str, texts: &[(&str, &str)]) {
    let mut shop = Shop::new(&format!(
        "files: '*.csv'\ncolumns: {{v: '{sql_type}'}}\non_bad_row: quarantine"
    ));
    let mut csv = "id,v\n".to_owned();
    let mut expected = Vec::new();
    for (id, (text, value)) in texts.iter().enumerate() {
        csv += &format!("{id},\"{}\"\n", text.replace('"', "\"\""));
        if *value != "✗" {
            expected.push(format!("{id}|{value}"));
        }
    }
    // So that there is always one row that fits, and its value is none.
    csv += "99,\n";
    expected.push("99|∅".to_owned());
    expected.sort();
    shop.put("a.csv", csv);
    let said = shop.run();
    assert!(!said.starts_with("error"), "{sql_type}: {said}");
    assert_eq!(shop.rows("id v"), expected.join("\n"), "{sql_type}");
}

/// A column gets its type from the first file; then each text comes alone in a later file. What the table's type and
/// the text's value are then; `✗`: the file is refused, and the table is as before.
fn found(first: &str, sql_type: &str, texts: &[(&str, &str)]) {
    for (text, expected) in texts {
        let mut shop = Shop::new("files: '*.csv'");
        shop.put("1.csv", format!("id,v\n1,\"{first}\"\n"));
        assert_eq!(shop.run(), "1 rows");
        assert_eq!(shop.types(), format!("id BIGINT, v {sql_type}"));
        shop.put("2.csv", format!("id,v\n2,\"{text}\"\n3,\"{first}\"\n"));
        let said = shop.run();
        let (types, rows) = (shop.types(), shop.rows("id v"));
        let of_type = types.rsplit_once("v ").unwrap().1;
        let value = rows
            .lines()
            .find_map(|row| row.strip_prefix("2|"))
            .map(str::to_owned);
        let found = match value {
            None => {
                assert!(said.contains("2.csv:2: `v` is not "), "{said}");
                "✗".to_owned()
            }
            Some(value) if of_type == sql_type => value,
            Some(value) => format!("{of_type}: {value}"),
        };
        assert_eq!(found, *expected, "{sql_type} {text}: {said}");
    }
}

#[test]
fn whole_numbers() {
    for sql_type in [
        "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "UBIGINT",
    ] {
        declared(
            sql_type,
            &[
                ("007", "7"),
                ("+49", "49"),
                (" 5 ", "5"),
                ("5.0", "5"),
                ("1e2", "100"),
                ("1.5e1", "15"),
                ("-0", "0"),
                ("1.5", "✗"),
                ("1e-1", "✗"),
                ("1_000", "✗"),
                ("0x1F", "✗"),
                ("1 2", "✗"),
                ("12a", "✗"),
                ("1e400", "✗"),
                ("", "∅"),
            ],
        );
    }
    declared(
        "TINYINT",
        &[("127", "127"), ("-128", "-128"), ("128", "✗"), ("1e3", "✗")],
    );
    declared(
        "UINTEGER",
        &[
            ("4294967295", "4294967295"),
            ("4294967296", "✗"),
            ("-1", "✗"),
        ],
    );
    declared(
        "BIGINT",
        &[
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "✗"),
        ],
    );
    declared(
        "HUGEINT",
        &[
            (
                "99999999999999999999999999999999999999",
                "99999999999999999999999999999999999999",
            ),
            ("100000000000000000000000000000000000000", "✗"),
        ],
    );
}

#[test]
fn whole_numbers_that_were_found() {
    let others = [
        ("6", "6"),
        ("-6", "-6"),
        ("6.0", "6"),
        ("007", "✗"),
        ("+49", "✗"),
        ("-0", "✗"),
        (" 5", "✗"),
        ("5 ", "✗"),
        ("1_000", "✗"),
        ("0x1F", "✗"),
        ("007.0", "✗"),
        ("1e400", "✗"),
    ];
    found("5", "BIGINT", &others);
    found(
        "5",
        "BIGINT",
        &[
            ("6.5", "DOUBLE: 6.5"),
            ("1e3", "DOUBLE: 1000.0"),
            ("9223372036854775808", "HUGEINT: 9223372036854775808"),
        ],
    );
    found("9223372036854775808", "HUGEINT", &others);
}

#[test]
fn decimals() {
    declared(
        "DECIMAL(9,2)",
        &[
            ("1.10", "1.10"),
            ("1.1", "1.10"),
            ("1.1000", "1.10"),
            ("007.5", "7.50"),
            ("+1", "1.00"),
            (" 1 ", "1.00"),
            ("1e5", "100000.00"),
            ("123e-2", "1.23"),
            (".5", "0.50"),
            ("5.", "5.00"),
            ("-0.00", "0.00"),
            ("1.005", "✗"),
            ("1.239e0", "✗"),
            ("1234e-3", "✗"),
            ("0.001", "✗"),
            ("10000000", "✗"),
            ("9999999.99", "9999999.99"),
            ("1e400", "✗"),
            ("1_0", "✗"),
            (".", "✗"),
            ("nan", "✗"),
        ],
    );
    let first = "9007199254740993.5";
    found(
        first,
        "DECIMAL(17,1)",
        &[
            ("1.5", "1.5"),
            ("1e2", "100.0"),
            ("007", "✗"),
            ("+1.5", "✗"),
            (" 1.5", "✗"),
            ("1.25", "DECIMAL(18,2): 1.25"),
            (
                "123456789012345678.1",
                "DECIMAL(19,1): 123456789012345678.1",
            ),
        ],
    );
}

#[test]
fn floating_point_numbers() {
    declared(
        "DOUBLE",
        &[
            ("1.10", "1.1"),
            ("1e5", "100000.0"),
            ("5.0", "5.0"),
            ("007", "7.0"),
            ("+1.5", "1.5"),
            (" 1.5 ", "1.5"),
            ("3.14159265358979323846", "3.141592653589793"),
            ("9007199254740992", "9007199254740992.0"),
            ("NaN", "nan"),
            ("-Infinity", "-inf"),
            ("0e-400", "0.0"),
            ("9007199254740993", "✗"),
            ("9007199254740993e0", "✗"),
            ("123456789012345678.5", "✗"),
            ("123456789012.3456789", "123456789012.34567"),
            ("1e400", "✗"),
            ("-1e400", "✗"),
            ("1e-400", "✗"),
            ("1_0", "✗"),
            ("0x1F", "✗"),
            ("1,5", "✗"),
        ],
    );
    declared(
        "FLOAT",
        &[
            ("0.1", "0.1"),
            ("16777216", "16777216.0"),
            ("16777217", "✗"),
            ("16777217.5", "✗"),
            ("1e39", "✗"),
            ("1e-46", "✗"),
            ("3.14159265358979", "3.1415927"),
        ],
    );
    found(
        "1.5",
        "DOUBLE",
        &[
            ("1.10", "1.1"),
            ("2", "2.0"),
            ("1e5", "100000.0"),
            ("0.10000000000000001", "0.1"),
            ("nan", "✗"),
            ("-inf", "✗"),
            ("9007199254740993", "✗"),
            ("3.14159265358979323846", "✗"),
            ("1e400", "✗"),
            ("1e-400", "✗"),
            ("007", "✗"),
            ("+1.5", "✗"),
            (" 1.5", "✗"),
            ("1_0.5", "✗"),
        ],
    );
}

#[test]
fn booleans() {
    declared(
        "BOOLEAN",
        &[
            ("true", "true"),
            ("FALSE", "false"),
            ("1", "true"),
            ("n", "false"),
            ("2", "✗"),
            ("on", "✗"),
        ],
    );
    found(
        "true",
        "BOOLEAN",
        &[("False", "false"), ("1", "✗"), ("t", "✗"), ("yes", "✗")],
    );
}

#[test]
fn moments() {
    declared(
        "DATE",
        &[
            ("2026-03-01", "2026-03-01"),
            ("2026-3-1", "2026-03-01"),
            ("2026/03/01", "2026-03-01"),
            ("2026-02-29", "✗"),
            ("2026-03-01 00:00:01", "✗"),
            ("01.03.2026", "✗"),
            ("infinity", "✗"),
            ("epoch", "✗"),
        ],
    );
    declared(
        "TIMESTAMP",
        &[
            (
                "2026-03-01 12:00:00.123456000",
                "2026-03-01 12:00:00.123456",
            ),
            ("2026-3-1 1:02:03.123456", "2026-03-01 01:02:03.123456"),
            ("2026-03-01 24:00:00", "2026-03-02 00:00:00"),
            ("2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00"),
            ("2026-3-1 1:02:03.1234567", "✗"),
            ("2026-3-1 1:2:3.1234567", "✗"),
            ("2026-03-01 12:00:00.1234567", "✗"),
            ("2016-12-31 23:59:60", "✗"),
            ("2026-03-01 24:00:01", "✗"),
            ("2026-03-01 25:00:00", "✗"),
            ("infinity", "✗"),
        ],
    );
    declared(
        "TIMESTAMPTZ",
        &[
            ("2026-03-01T12:00:00+02:00", "2026-03-01 10:00:00+00"),
            ("2026-03-01T12:00:00", "2026-03-01 12:00:00+00"),
            ("2026-03-01T12:00:00.1234567Z", "✗"),
            ("2016-12-31 23:59:60Z", "✗"),
        ],
    );
    declared(
        "TIMESTAMP_S",
        &[
            ("2026-03-01 12:00:00", "2026-03-01 12:00:00"),
            ("2026-03-01 12:00:00.5", "✗"),
        ],
    );
    declared(
        "TIMESTAMP_MS",
        &[
            ("2026-03-01 12:00:00.123", "2026-03-01 12:00:00.123"),
            ("2026-03-01 12:00:00.1234", "✗"),
        ],
    );
    declared(
        "TIME",
        &[
            ("12:00:00.123456", "12:00:00.123456"),
            ("24:00:00", "24:00:00"),
            ("12:00:00.1234567", "✗"),
            ("12:00:00+02", "✗"),
            ("12:00Z", "✗"),
            ("23:59:60", "✗"),
        ],
    );
    found(
        "2026-03-01",
        "DATE",
        &[
            ("2026-3-2", "2026-03-02"),
            ("2026-03-01 12:00:00", "TIMESTAMP: 2026-03-01 12:00:00"),
            ("2026-02-30", "✗"),
        ],
    );
    found(
        "2026-03-01 12:00:00",
        "TIMESTAMP",
        &[
            ("2026-03-01 12:00:00.1234567", "✗"),
            ("2016-12-31 23:59:60", "✗"),
        ],
    );
}

#[test]
fn nanoseconds_of_a_format_are_not_cut_off() {
    let mut shop = Shop::new(
        "files: a.csv\ncolumns: {at: TIMESTAMP}\ncsv: {timestamp_format: '%Y-%m-%d %H:%M:%S.%n'}\non_bad_row: quarantine",
    );
    shop.put(
        "a.csv",
        "at\n2026-03-01 12:00:00.123456000\n2026-03-01 12:00:00.123456789\n",
    );
    assert_eq!(shop.run(), "1 rows, 1 put aside");
    assert_eq!(shop.rows("at"), "2026-03-01 12:00:00.123456");
}

#[test]
fn other_types() {
    declared(
        "INTERVAL",
        &[
            ("1 day 02:03:04.5", "1 day 02:03:04.5"),
            ("1.5 seconds", "00:00:01.5"),
            ("2 months", "2 months"),
            ("1.1234567 seconds", "✗"),
            ("0.0000001 seconds", "✗"),
            ("0.3 months", "✗"),
            ("0.1 microseconds", "✗"),
        ],
    );
    declared(
        "UUID",
        &[
            (
                "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
                "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            ),
            ("6f9619ff", "✗"),
        ],
    );
    declared(
        "BLOB",
        &[("abc", "abc"), ("\\x41", "A"), ("ä", "✗"), ("\\xZZ", "✗")],
    );
}

#[test]
fn a_column_keeps_every_digit_of_one_load() {
    let mut shop = Shop::new("files: a.csv");
    shop.put("a.csv", "id,v\n1,9007199254740993\n2,1.5\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.types(), "id BIGINT, v DECIMAL(17,1)");
    assert_eq!(shop.rows("v"), "1.5\n9007199254740993.0");
    let mut shop = Shop::new("files: a.csv");
    shop.put("a.csv", "v\n1e400\n1.5\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.types(), "v VARCHAR");
    assert_eq!(shop.rows("v"), "1.5\n1e400");
}

/// Digits before the point of a declared `DOUBLE` come back, wherever the text stands.
#[test]
fn a_nested_double_keeps_the_digits_before_the_point() {
    let csv = "declared";
    let good = "[0.1, 3.14159265358979323846]";
    let bad = "[123456789012345678.5]";
    let texts = crate::shop::parquet(
        "v: VARCHAR",
        "v\n3.14159265358979323846\n123456789012345678.5\n",
    );
    let check = |columns: &str, file: &str, content: &[u8], expected: &str| {
        let mut shop = Shop::new(&format!(
            "files: '*'\ncolumns: {{v: '{columns}'}}\non_bad_row: quarantine"
        ));
        shop.put(file, content);
        assert_eq!(shop.run(), "1 rows, 1 put aside", "{csv} {file}");
        assert_eq!(shop.rows("v"), expected);
    };
    let list = "[0.1, 3.141592653589793]";
    let csv = format!("v\n\"{good}\"\n\"{bad}\"\n");
    check("DOUBLE[]", "a.csv", csv.as_bytes(), list);
    let json = format!("{{\"v\":{good}}}\n{{\"v\":{bad}}}\n");
    check("DOUBLE[]", "a.ndjson", json.as_bytes(), list);
    check("DOUBLE", "a.parquet", &texts, "3.141592653589793");
}

/// What a later file has that the type of the first one does not take, and why.
#[test]
fn the_reason_is_the_true_one() {
    for (first, later, expected) in [
        (
            "12345",
            "01234",
            "is not written as a BIGINT is (no leading zeros, `+`, blanks or `-0`): to take its value, declare `v: BIGINT` under `columns`",
        ),
        (
            "true",
            "1",
            "is not `true` or `false`: to take its value, declare `v: BOOLEAN` under `columns`",
        ),
        (
            "1.5",
            "1234567890123456.78",
            "is not exactly a DOUBLE (it has more digits, which a declared type rounds; DECIMAL or VARCHAR keeps them): to take its value, declare `v: DOUBLE` under `columns`",
        ),
        (
            "1.5",
            "9007199254740993",
            "is not exactly a DOUBLE (a digit before the point would change, or it is out of range): to keep its value, declare `v` as DECIMAL or VARCHAR under `columns`",
        ),
        (
            "1.5",
            "+1.5",
            "is not written as a DOUBLE is (no leading zeros, `+`, blanks or `-0`): to take its value, declare `v: DOUBLE` under `columns`",
        ),
        (
            "1.5",
            "-0",
            "is not written as a DOUBLE is (no leading zeros, `+`, blanks or `-0`): to take its value, declare `v: DOUBLE` under `columns`",
        ),
        (
            "1.5",
            "NaN",
            "is not taken for a DOUBLE (NaN or infinity): to take its value, declare `v: DOUBLE` under `columns`",
        ),
        ("1.5", "x", "is not a DOUBLE"),
    ] {
        let mut shop = Shop::new("files: '*.csv'");
        shop.put("1.csv", format!("id,v\n1,{first}\n"));
        shop.run();
        shop.put("2.csv", format!("id,v\n2,{later}\n3,{first}\n"));
        let said = shop.run();
        assert!(
            said.contains(&format!("\n  2.csv:2: `v` {expected}\n")),
            "{first} {later}: {said}"
        );
    }
}

/// In one load they are a DECIMAL.
#[test]
fn whole_numbers_that_a_double_would_change_say_what_to_do() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,v\n1,9007199254740993\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("2.csv", "id,v\n2,0.5\n");
    let said = shop.run();
    assert!(
        said.contains("declare a type that holds both under `columns`, such as `v: DECIMAL(38,9)`"),
        "{said}"
    );
    shop.configure("files: '*.csv'\ncolumns: {v: 'DECIMAL(38,9)'}");
    shop.run();
    assert_eq!(shop.rows("v"), "0.500000000\n9007199254740993.000000000");
}

#[test]
fn a_row_that_is_written_otherwise_says_what_to_do() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "zip,x\n12345,a\n");
    shop.run();
    shop.put("2.csv", "zip,x\n01234,b\n54321,c\n");
    let said = shop.run();
    assert!(
        said.contains("2.csv:2: `zip` is not written as a BIGINT is (no leading zeros, `+`, blanks or `-0`): to take its value, declare `zip: BIGINT` under `columns`"),
        "{said}"
    );
    shop.configure("files: '*.csv'\ncolumns: {zip: BIGINT}");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.rows("zip"), "1234\n12345\n54321");
}

#[test]
fn texts_of_json_follow_the_same_rules() {
    let mut shop = Shop::new("files: '*.ndjson'");
    shop.put("1.ndjson", "{\"id\":12,\"d\":1.5,\"s\":{\"n\":1}}\n");
    assert_eq!(shop.run(), "1 rows");
    for (i, bad) in [
        "{\"id\":\"007\"}",
        "{\"id\":\"+7\"}",
        "{\"d\":\"1e400\"}",
        "{\"s\":{\"n\":\"07\"}}",
    ]
    .iter()
    .enumerate()
    {
        shop.put("2.ndjson", format!("{bad}\n{{\"id\":1{i}}}\n"));
        let said = shop.run();
        assert!(said.contains("2.ndjson:1: "), "{bad}: {said}");
    }
    assert_eq!(shop.rows("id"), "12");
}
