//! Every type, with the values at its ends. What is expected is PostgreSQL's own documentation of its types, written down by hand.

use super::{Shop, table};

/// A column of a type with values as SQL, and the type and texts that the lake is to have.
fn check(of: &str, values: &[&str], sql_type: &str, expected: &[&str]) {
    check_said(of, None, values, sql_type, expected);
}

fn check_said(of: &str, said: Option<&str>, values: &[&str], sql_type: &str, expected: &[&str]) {
    let rows: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(i, value)| format!("({i}, {value})"))
        .collect();
    let sql = format!(
        "CREATE TABLE t (i int, v {of}); INSERT INTO t VALUES {}, (99, NULL)",
        rows.join(", ")
    );
    let said = said.map(|said| format!("columns: {{v: \"{said}\"}}"));
    let mut lines = vec!["t"];
    lines.extend(said.as_deref());
    let shop = Shop::new(&sql, &table(&lines));
    assert_eq!(
        shop.run(),
        [format!("bronze/shop/t succeeded {}", values.len() + 1)],
        "{of}"
    );
    let shown = shop.world.json(&["show", "t", "-n", "100"]);
    assert_eq!(shown["types"][1], sql_type, "{of}");
    let mut rows: Vec<(u32, Option<String>)> = shown["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row[0].as_str().unwrap().parse().unwrap(),
                row[1].as_str().map(str::to_owned),
            )
        })
        .collect();
    rows.sort();
    assert_eq!(rows.pop(), Some((99, None)), "{of}");
    let found: Vec<&str> = rows
        .iter()
        .map(|(_, text)| text.as_deref().unwrap_or("NULL"))
        .collect();
    assert_eq!(found, expected, "{of}");
}

fn check_refused(of: &str, value: &str, expected: &str) {
    let shop = Shop::new(
        &format!("CREATE TABLE t (v {of}); INSERT INTO t VALUES ({value})"),
        &table(&["t"]),
    );
    assert_eq!(shop.failure(), expected, "{of} {value}");
    assert!(shop.world.read_folder("data/bronze/shop").is_empty());
}

#[test]
fn whole_numbers() {
    check(
        "smallint",
        &["-32768", "32767"],
        "SMALLINT",
        &["-32768", "32767"],
    );
    check(
        "integer",
        &["-2147483648", "2147483647"],
        "INTEGER",
        &["-2147483648", "2147483647"],
    );
    check(
        "bigint",
        &["-9223372036854775808", "9223372036854775807"],
        "BIGINT",
        &["-9223372036854775808", "9223372036854775807"],
    );
    check(
        "oid",
        &["0", "4294967295"],
        "UINTEGER",
        &["0", "4294967295"],
    );
}

#[test]
fn numbers_with_decimals_keep_every_digit() {
    check(
        "numeric(38,10)",
        &[
            "9999999999999999999999999999.9999999999",
            "-9999999999999999999999999999.9999999999",
            "0.0000000001",
            "0",
        ],
        "DECIMAL(38,10)",
        &[
            "9999999999999999999999999999.9999999999",
            "-9999999999999999999999999999.9999999999",
            "0.0000000001",
            "0.0000000000",
        ],
    );
    check(
        "numeric(4)",
        &["-9999", "9999"],
        "DECIMAL(4,0)",
        &["-9999", "9999"],
    );
    let long = "1234567890123456789012345678901234567890.123456789012345678901234567890";
    check(
        "numeric",
        &[long, "1.50", "'NaN'", "'-Infinity'", "1e-20", "0"],
        "VARCHAR",
        &[
            long,
            "1.50",
            "NaN",
            "-Infinity",
            "0.00000000000000000001",
            "0",
        ],
    );
    check("numeric(5,-2)", &["12345"], "VARCHAR", &["12300"]);
    check_said(
        "numeric",
        Some("DECIMAL(10,3)"),
        &["1234567.891", "-0.5"],
        "DECIMAL(10,3)",
        &["1234567.891", "-0.500"],
    );
    check_said(
        "numeric",
        Some("DOUBLE"),
        &["0.1", "'NaN'"],
        "DOUBLE",
        &["0.1", "nan"],
    );
    check(
        "real",
        &["'NaN'", "'Infinity'", "3.4028235e38", "1e-45"],
        "FLOAT",
        &["nan", "inf", "3.4028235e+38", "1e-45"],
    );
    check(
        "double precision",
        &["'-Infinity'", "1.7976931348623157e308", "5e-324", "0.1"],
        "DOUBLE",
        &["-inf", "1.7976931348623157e+308", "5e-324", "0.1"],
    );
    check(
        "money",
        &["'-92233720368547758.08'", "'92233720368547758.07'"],
        "VARCHAR",
        &["-92233720368547758.08", "92233720368547758.07"],
    );
}

#[test]
fn a_number_that_its_column_has_no_room_for_is_refused() {
    let nan = "a value of column `v` can't be kept: it is NaN or an infinity, and DECIMAL has neither; write `VARCHAR` or `DOUBLE` for the column under `columns:`; nothing of it was loaded";
    check_refused("numeric(5,2)", "'NaN'", nan);
}

#[test]
fn dates_and_times() {
    check(
        "date",
        &[
            "'4713-01-01 BC'",
            "'1969-12-31'",
            "'9999-12-31'",
            "'2024-02-29'",
        ],
        "DATE",
        &["4713-01-01 (BC)", "1969-12-31", "9999-12-31", "2024-02-29"],
    );
    check(
        "time",
        &["'00:00'", "'23:59:59.999999'", "'24:00'"],
        "TIME",
        &["00:00:00", "23:59:59.999999", "24:00:00"],
    );
    check(
        "timetz",
        &[
            "'12:34:56.789+05:30'",
            "'00:00-08'",
            "'00:00+15:59:59'",
            "'24:00-15:59:59'",
        ],
        "TIME WITH TIME ZONE",
        &[
            "12:34:56.789+05:30",
            "00:00:00-08",
            "00:00:00+15:59:59",
            "24:00:00-15:59:59",
        ],
    );
    check(
        "timestamp",
        &[
            "'1900-01-01 00:00:00.000001'",
            "'9999-12-31 23:59:59.999999'",
            "'4713-01-01 00:00:00.000001 BC'",
            "'294246-12-31 23:59:59.999999'",
        ],
        "TIMESTAMP",
        &[
            "1900-01-01 00:00:00.000001",
            "9999-12-31 23:59:59.999999",
            "4713-01-01 (BC) 00:00:00.000001",
            "294246-12-31 23:59:59.999999",
        ],
    );
    check(
        "timestamp(0)",
        &["'2024-01-01 12:00:00'"],
        "TIMESTAMP",
        &["2024-01-01 12:00:00"],
    );
    check(
        "timestamptz",
        &["'1969-12-31 23:59:59.999999+00'", "'2024-06-01 12:00+02'"],
        "TIMESTAMP WITH TIME ZONE",
        &["1969-12-31 23:59:59.999999+00", "2024-06-01 10:00:00+00"],
    );
    check(
        "timestamptz(3)",
        &["'2024-06-01 12:00:00.123+02'"],
        "TIMESTAMP WITH TIME ZONE",
        &["2024-06-01 10:00:00.123+00"],
    );
    check(
        "interval",
        &[
            "'1 year 2 months 3 days 04:05:06.000007'",
            "'-1 month +3 days -04:00'",
            "'0'",
            "'178000000 years'",
            "'-178000000 years'",
            "'2147483647 days'",
            "'-2147483648 days'",
            "make_interval(secs => 9000000000000)",
        ],
        "INTERVAL",
        &[
            "1 year 2 months 3 days 04:05:06.000007",
            "-1 month 3 days -04:00:00",
            "00:00:00",
            "178000000 years",
            "-178000000 years",
            "2147483647 days",
            "-2147483648 days",
            "2500000000:00:00",
        ],
    );
    check_said(
        "timestamp",
        Some("VARCHAR"),
        &["'infinity'", "'294276-12-31 23:59:59.999999'"],
        "VARCHAR",
        &["infinity", "294276-12-31 23:59:59.999999"],
    );
}

#[test]
fn infinite_times_are_refused() {
    let refused = "a value of column `v` can't be kept: it is an infinity, and the lake has no such date; write `VARCHAR` for the column under `columns:`; nothing of it was loaded";
    check_refused("timestamptz", "'-infinity'", refused);
    check_refused("date", "'infinity'", refused);
    let far = "a value of column `v` can't be kept: it is beyond the last date that the lake has; write `VARCHAR` for the column under `columns:`; nothing of it was loaded";
    check_refused("timestamp", "'294276-12-31'", far);
}

#[test]
fn texts_and_bytes() {
    check(
        "text",
        &["''", "'ünï €  😀'", "E'a\\nb\\t\"'"],
        "VARCHAR",
        &["", "ünï €  😀", "a\nb\t\""],
    );
    check("varchar(5)", &["'abcde'"], "VARCHAR", &["abcde"]);
    check("char(5)", &["'ab'"], "VARCHAR", &["ab   "]);
    check("name", &["'n'"], "VARCHAR", &["n"]);
    check("\"char\"", &["'x'", "'\\377'"], "VARCHAR", &["x", "\\377"]);
    check(
        "bytea",
        &["'\\x'", "'\\x00ff'"],
        "BLOB",
        &["", "\\x00\\xFF"],
    );
    check(
        "uuid",
        &["'00112233-4455-6677-8899-AABBCCDDEEFF'"],
        "UUID",
        &["00112233-4455-6677-8899-aabbccddeeff"],
    );
    check("json", &["'{\"a\":  1}'"], "JSON", &["{\"a\":  1}"]);
    check("jsonb", &["'{\"a\":  1}'"], "JSON", &["{\"a\": 1}"]);
    check("xml", &["'<a>1</a>'"], "VARCHAR", &["<a>1</a>"]);
    check("boolean", &["true", "false"], "BOOLEAN", &["true", "false"]);
}

#[test]
fn types_that_are_read_as_postgres_writes_them() {
    check("bit(5)", &["B'10101'"], "VARCHAR", &["10101"]);
    check("varbit", &["B''"], "VARCHAR", &[""]);
    check(
        "inet",
        &["'10.0.0.1/8'", "'::1'"],
        "VARCHAR",
        &["10.0.0.1/8", "::1/128"],
    );
    check("cidr", &["'10.0.0.0/8'"], "VARCHAR", &["10.0.0.0/8"]);
    check(
        "macaddr",
        &["'08:00:2b:01:02:03'"],
        "VARCHAR",
        &["08:00:2b:01:02:03"],
    );
    check(
        "int4range",
        &["'[1,5)'", "'empty'"],
        "VARCHAR",
        &["[1,5)", "empty"],
    );
    check("point", &["'(1,2)'"], "VARCHAR", &["(1,2)"]);
    check("tsvector", &["'a b'"], "VARCHAR", &["'a' 'b'"]);
}

#[test]
fn arrays() {
    check(
        "int[]",
        &["'{1,NULL,-3}'", "'{}'", "'[0:1]={4,5}'"],
        "INTEGER[]",
        &["[1, NULL, -3]", "[]", "[4, 5]"],
    );
    check(
        "text[]",
        &["ARRAY['a','','\"']"],
        "VARCHAR[]",
        &["[a, '', '\"']"],
    );
    check(
        "numeric(5,2)[]",
        &["'{1.5,-999.99}'"],
        "DECIMAL(5,2)[]",
        &["[1.50, -999.99]"],
    );
    check(
        "timestamptz[]",
        &["ARRAY['2024-01-01 00:00+00'::timestamptz]"],
        "TIMESTAMP WITH TIME ZONE[]",
        &["['2024-01-01 00:00:00+00']"],
    );
    check(
        "int4range[]",
        &["ARRAY['[1,5)'::int4range]"],
        "VARCHAR[]",
        &["['[1,5)']"],
    );
    check_said(
        "int[]",
        Some("INTEGER[][]"),
        &["'{{1,2},{3,NULL}}'"],
        "INTEGER[][]",
        &["[[1, 2], [3, NULL]]"],
    );
    let nested = "a value of column `v` can't be kept: it is an array of other dimensions than the column; write the type with all of them for the column under `columns:`, such as `INTEGER[][]`, or `VARCHAR` where rows have different ones; nothing of it was loaded";
    check_refused("int[]", "'{{1,2},{3,4}}'", nested);
}

#[test]
fn types_that_people_made() {
    let shop = Shop::new(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text); \
         CREATE DOMAIN price AS numeric(10,2) CHECK (VALUE > 0); CREATE DOMAIN mail AS text; CREATE DOMAIN cheap AS price; \
         CREATE TABLE t (m mood, ms mood[], p pair, c price, e mail, k cheap); \
         INSERT INTO t VALUES ('happy', '{sad,happy}', ROW(1, 'x,y'), 12.50, 'a@b', 1.25)",
        &table(&["t"]),
    );
    assert_eq!(shop.run(), ["bronze/shop/t succeeded 1"]);
    let shown = shop.world.json(&["show", "t"]);
    let types: Vec<&str> = shown["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert_eq!(
        types[..6],
        [
            "VARCHAR",
            "VARCHAR[]",
            "VARCHAR",
            "DECIMAL(10,2)",
            "VARCHAR",
            "DECIMAL(10,2)"
        ]
    );
    assert_eq!(
        shop.world.rows("t"),
        ["happy,[sad, happy],(1,\"x,y\"),12.50,a@b,1.25"]
    );
}

#[test]
fn types_that_are_said_are_kept_exactly_or_refused() {
    check_said("integer", Some("BIGINT"), &["5"], "BIGINT", &["5"]);
    check_said(
        "text",
        Some("DATE"),
        &["'2024-02-29'"],
        "DATE",
        &["2024-02-29"],
    );
    let shop = Shop::new(
        "CREATE TABLE t (v text); INSERT INTO t VALUES ('no date, secret')",
        &table(&["t", "columns: {v: DATE}"]),
    );
    let failure = shop.failure();
    assert!(
        !failure.contains("secret") && failure.contains("do not fit"),
        "{failure}"
    );
}

/// `said` is a type that some of the values do not have.
fn check_said_refused(of: &str, said: &str, value: &str) {
    let shop = Shop::new(
        &format!("CREATE TABLE t (v {of}); INSERT INTO t VALUES ({value})"),
        &table(&["t", &format!("columns: {{v: \"{said}\"}}")]),
    );
    let failure = shop.failure();
    let expected = format!(
        "some values do not fit the types that their columns have in the lake (`v` {said})"
    );
    assert!(failure.starts_with(&expected), "{of} {value}: {failure}");
    assert!(shop.world.read_folder("data/bronze/shop").is_empty());
}

/// IEEE 754: 0.1 of 64 bits is not 0.1 of 32 bits, 2^53 + 1 is no number of 64 bits, 2^24 + 1 none of 32.
#[test]
fn numbers_of_other_types_that_are_said() {
    check_said(
        "float8",
        Some("FLOAT"),
        &["0.5", "-0.75", "'NaN'"],
        "FLOAT",
        &["0.5", "-0.75", "nan"],
    );
    check_said_refused("float8", "FLOAT", "0.1");
    check_said_refused("float8", "FLOAT", "1e300");
    check_said(
        "float4",
        Some("DOUBLE"),
        &["0.5", "0.1"],
        "DOUBLE",
        &["0.5", "0.10000000149011612"],
    );
    check_said(
        "float8",
        Some("DECIMAL(9,2)"),
        &["0.1"],
        "DECIMAL(9,2)",
        &["0.10"],
    );
    check_said_refused("float8", "DECIMAL(9,2)", "0.125");
    check_said_refused("float8", "BIGINT", "1.5");
    check_said(
        "bigint",
        Some("DOUBLE"),
        &["9007199254740992"],
        "DOUBLE",
        &["9007199254740992.0"],
    );
    check_said_refused("bigint", "DOUBLE", "9007199254740993");
    check_said_refused("integer", "FLOAT", "16777217");
    check_said_refused("integer", "SMALLINT", "32768");
    check_said(
        "numeric(20,6)",
        Some("DOUBLE"),
        &["0.1", "'NaN'"],
        "DOUBLE",
        &["0.1", "nan"],
    );
    check_said_refused("numeric", "DOUBLE", "9007199254740993");
    check_said_refused("numeric", "DOUBLE", "1e400");
    check_said_refused("numeric(10,2)", "BIGINT", "1.50");
    check_said("numeric(10,2)", Some("BIGINT"), &["5.00"], "BIGINT", &["5"]);
    check_said("boolean", Some("INTEGER"), &["true"], "INTEGER", &["1"]);
}

#[test]
fn times_of_other_types_that_are_said() {
    check_said(
        "timestamp",
        Some("DATE"),
        &["'2026-03-01 00:00:00'"],
        "DATE",
        &["2026-03-01"],
    );
    check_said_refused("timestamp", "DATE", "'2026-03-01 00:00:01'");
    check_said(
        "date",
        Some("TIMESTAMP"),
        &["'2026-03-01'"],
        "TIMESTAMP",
        &["2026-03-01 00:00:00"],
    );
    check_said(
        "timestamptz",
        Some("TIMESTAMP"),
        &["'2026-03-01 02:00+02'"],
        "TIMESTAMP",
        &["2026-03-01 00:00:00"],
    );
    check_said_refused("timestamp", "TIMESTAMP_S", "'2026-03-01 00:00:00.5'");
    check_said(
        "text",
        Some("TIME"),
        &["'12:00:00.5'"],
        "TIME",
        &["12:00:00.5"],
    );
    for (of, value) in [
        ("timetz", "'12:00+02'"),
        ("text", "'12:00+02'"),
        ("text", "'12:00Z'"),
    ] {
        check_said_refused(of, "TIME", value);
    }
}

#[test]
fn arrays_and_json_of_other_types_that_are_said() {
    check_said(
        "bigint[]",
        Some("DOUBLE[]"),
        &["'{5,NULL}'"],
        "DOUBLE[]",
        &["[5.0, NULL]"],
    );
    check_said_refused("bigint[]", "DOUBLE[]", "'{1,9007199254740993}'");
    check_said_refused("float8[]", "FLOAT[]", "'{0.1}'");
    check_said_refused("numeric[]", "DOUBLE[]", "'{9007199254740993}'");
    check_said_refused(
        "timestamp[]",
        "DATE[]",
        "ARRAY['2026-03-01 12:00'::timestamp]",
    );
    check_said(
        "int[]",
        Some("BIGINT[][]"),
        &["'{{1},{NULL}}'"],
        "BIGINT[][]",
        &["[[1], [NULL]]"],
    );
    check_said(
        "int[]",
        Some("JSON"),
        &["'{1,NULL}'"],
        "JSON",
        &["[1,null]"],
    );
    check_said_refused("float8[]", "JSON", "'{NaN}'");
    check_said(
        "text",
        Some("JSON"),
        &["'{\"a\": [1.10]}'"],
        "JSON",
        &["{\"a\": [1.10]}"],
    );
    for bad in ["[1,]", "{\"a\": NaN}", "\"\\ud800\"", ""] {
        check_said_refused("text", "JSON", &format!("'{bad}'"));
    }
    check_said(
        "jsonb",
        Some("STRUCT(a BIGINT, b VARCHAR)"),
        &["'{\"a\": 1}'"],
        "STRUCT(a BIGINT, b VARCHAR)",
        &["{'a': 1, 'b': NULL}"],
    );
    check_said_refused("jsonb", "STRUCT(a BIGINT)", "'{\"a\": 1.5}'");
    check_said_refused("jsonb", "STRUCT(a DOUBLE)", "'{\"a\": 9007199254740993}'");
    let half = "a value of column `v` can't be kept: it is JSON with half of a surrogate pair, which is not a character; write `VARCHAR` for the column under `columns:`; nothing of it was loaded";
    check_refused("json", "'\"\\ud800\"'", half);
    check_refused("json[]", "ARRAY['1', '{\"a\": \"\\udc00\"}']::json[]", half);
    check(
        "json",
        &["'\"\\ud83d\\ude00\"'"],
        "JSON",
        &["\"\\ud83d\\ude00\""],
    );
}

/// Coordinates are doubles: a text with fewer than 17 significant digits is another place.
#[test]
fn places_keep_every_digit() {
    let shop = Shop::new(
        "CREATE EXTENSION postgis; CREATE TABLE t (i int, v geometry, g geography(Point, 4326)); \
         INSERT INTO t VALUES (1, 'SRID=4326;POINT(6.0480110425146475e-05 0.30000000000000004)', 'POINT(-8.500000000000002 47.3)'), \
         (2, 'POLYGON((0 0,1 0,1 1,0 0))', NULL), (3, 'SRID=3857;LINESTRING Z(0 0 0.1,1 1 1e-20)', NULL), (4, 'POINT EMPTY', NULL)",
        &table(&["t"]),
    );
    assert_eq!(shop.run(), ["bronze/shop/t succeeded 4"]);
    let shown = shop.world.json(&["show", "t", "-n", "100"]);
    let mut rows: Vec<String> = shown["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row[0], row[1], row[2]).replace('"', ""))
        .collect();
    rows.sort();
    assert_eq!(
        rows,
        [
            "1 SRID=4326;POINT(0.000060480110425146475 0.30000000000000004) SRID=4326;POINT(-8.500000000000002 47.3)",
            "2 POLYGON((0 0,1 0,1 1,0 0)) null",
            "3 SRID=3857;LINESTRING(0 0 0.1,1 1 1e-20) null",
            "4 POINT EMPTY null",
        ]
    );
}
