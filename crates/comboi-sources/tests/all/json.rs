//! JSON: every value as it is written or not at all, and each record by itself.

use std::fmt::Write as _;

use crate::shop::Shop;

/// The types and the rows of a table of one file.
fn check(table: &str, file: &str, content: impl AsRef<[u8]>, types: &str, rows: &str) {
    let mut shop = Shop::new(table);
    shop.put(file, content);
    let said = shop.run();
    assert!(!said.starts_with("error"), "{said}");
    assert_eq!(shop.types(), types);
    assert_eq!(shop.rows(&shop.names()), rows.trim());
}

/// What is said of files that are read together.
fn says(table: &str, files: &[(&str, &[u8])], expected: &str) {
    let mut shop = Shop::new(table);
    for (name, content) in files {
        shop.put(name, content);
    }
    let said = shop.run();
    assert!(said.contains(expected), "{said}");
    if expected.starts_with("error") {
        assert!(shop.known.is_none(), "something was committed");
    }
}

#[test]
fn numbers_that_no_double_holds_keep_every_digit() {
    check(
        "files: a.ndjson",
        "a.ndjson",
        "{\"a\":123456789012345678.12,\"o\":{\"n\":98765432109876543.21},\"l\":[98765432109876543.21,1.10]}\n\
         {\"a\":1.10,\"o\":{\"n\":1e400},\"l\":[]}\n\
         {\"a\":1e3,\"o\":{\"n\":-0.0},\"l\":[1E+2]}\n",
        "a DECIMAL(20,2), o STRUCT(n VARCHAR), l DECIMAL(19,2)[]",
        "1.10|{'n': 1e400}|[]\n1000.00|{'n': -0.0}|[100.00]\n123456789012345678.12|{'n': 98765432109876543.21}|[98765432109876543.21, 1.10]",
    );
}

#[test]
fn numbers_are_exact_whatever_type_is_said() {
    check(
        "files: a.ndjson\ncolumns: {d: 'DECIMAL(20,2)', v: VARCHAR, b: BIGINT, f: DOUBLE, j: JSON, o: 'STRUCT(d DECIMAL(38,18), j JSON)', l: 'DECIMAL(20,2)[]', m: 'MAP(VARCHAR, DECIMAL(20,2))'}",
        "a.ndjson",
        "{\"d\":1234567890123456.78,\"v\":98765432109876543.210,\"b\":9007199254740993,\"f\":0.5,\"j\":{\"k\": [1.10, 1e400]},\
          \"o\":{\"d\":12345678901234567890.123456789012345678,\"j\":100000000000000000001.0},\"l\":[1234567890123456.78,0.10],\"m\":{\"x\":98765432109876543.21}}\n",
        "d DECIMAL(20,2), v VARCHAR, b BIGINT, f DOUBLE, j JSON, o STRUCT(d DECIMAL(38,18), j JSON), l DECIMAL(20,2)[], m MAP(VARCHAR, DECIMAL(20,2))",
        "1234567890123456.78|98765432109876543.210|9007199254740993|0.5|{\"k\":[1.10,1e400]}|\
         {'d': 12345678901234567890.123456789012345678, 'j': 100000000000000000001.0}|[1234567890123456.78, 0.10]|{x=98765432109876543.21}",
    );
}

#[test]
fn values_that_are_none_of_their_type_are_bad_rows_however_deep_they_lie() {
    let table = "files: a.ndjson\ncolumns: {o: 'STRUCT(d DECIMAL(6,2), l BIGINT[])', m: 'MAP(BIGINT, DECIMAL(6,2))', f: 'BIGINT[2]'}";
    let lines = [
        r#"{"o":{"d":1.10,"l":[1,null]},"m":{"1":1.5},"f":[1,2]}"#,
        r#"{"o":{"d":1.005}}"#,
        r#"{"o":{"l":[1,1.5]}}"#,
        r#"{"o":{"l":{"x":1}}}"#,
        r#"{"o":[1]}"#,
        r#"{"o":"{}"}"#,
        r#"{"m":{"x":1}}"#,
        r#"{"m":{"1":1.005}}"#,
        r#"{"m":{"1":1,"1.0":2}}"#,
        r#"{"f":[1,2,3]}"#,
        r#"{"f":[1,"x"]}"#,
        r#"{"o":null,"m":null,"f":null}"#,
    ];
    let mut shop = Shop::new(table);
    shop.put("a.ndjson", lines.join("\n"));
    let said = shop.run();
    let of = [
        "STRUCT(d DECIMAL(6,2), l BIGINT[])",
        "MAP(BIGINT, DECIMAL(6,2))",
        "BIGINT[2]",
    ];
    let mut expected = String::new();
    for (line, (name, of)) in (2..).zip([
        ("o", of[0]),
        ("o", of[0]),
        ("o", of[0]),
        ("o", of[0]),
        ("o", of[0]),
        ("m", of[1]),
        ("m", of[1]),
        ("m", of[1]),
        ("f", of[2]),
        ("f", of[2]),
    ]) {
        write!(expected, "\n  a.ndjson:{line}: `{name}` is not a {of}").unwrap();
    }
    assert!(
        said.starts_with(&format!("error: 10 rows do not fit:{expected}")),
        "{said}"
    );
    shop.configure(&format!("{table}\non_bad_row: quarantine"));
    assert_eq!(shop.run(), "2 rows, 10 put aside");
    assert_eq!(
        shop.rows("o m f"),
        "{'d': 1.10, 'l': [1, NULL]}|{1=1.50}|[1, 2]\n∅|∅|∅"
    );
}

/// RFC 8259.
#[test]
fn what_is_not_json_is_a_bad_row() {
    let lines = [
        r#"{"v":{"k":1}}"#,
        r#"{"v":[-NaN]}"#,
        r#"{"v":[Inf]}"#,
        r#"{"v":{"id":0,}}"#,
        r"{'v':1}",
        r#"{"v":1} // no"#,
        r#"{"v":01}"#,
        r#"{"v":"half of a pair: \ud83d"}"#,
        r#"{"v":"a pair, and nothing: \ud83d\ude00\u0000"}"#,
    ];
    let mut shop = Shop::new("files: a.ndjson\ncolumns: {v: JSON}\non_bad_row: quarantine");
    shop.put("a.ndjson", lines.join("\n"));
    assert_eq!(shop.run(), "2 rows, 7 put aside");
    assert_eq!(
        shop.rows("v"),
        "\"a pair, and nothing: \\ud83d\\ude00\\u0000\"\n{\"k\":1}"
    );
    assert_eq!(
        shop.quarantined("line reason"),
        "2|not a JSON object: invalid number at column 8\n\
         3|not a JSON object: expected value at column 7\n\
         4|not a JSON object: key must be a string at column 14\n\
         5|not a JSON object: key must be a string at column 2\n\
         6|not a JSON object: trailing characters at column 9\n\
         7|not a JSON object: invalid number at column 7\n\
         8|not a JSON object: half of a surrogate pair is no character"
    );
    says(
        "files: a.json",
        &[("a.json", b"[{\"a\":1},\n{\"a\":1,},{\"a\":2} {\"a\":3},,7]")],
        "error: 4 rows do not fit:\n  a.json:2: not a JSON object: key must be a string at column 8\n  \
         a.json:3: not a JSON object: trailing characters at column 9\n  \
         a.json:4: not a JSON object: there is no value\n  \
         a.json:5: not a JSON object but a number",
    );
    // A form feed is no white space of JSON.
    says(
        "files: a.json",
        &[("a.json", b"[\x0c]")],
        "error: 1 row does not fit:\n  a.json:1: not a JSON object: expected value at column 1",
    );
}

#[test]
fn a_file_of_which_nothing_fits_is_an_error_in_every_run() {
    let page: &[u8] = b"<html>\n<body>502 Bad Gateway</body></html>\n";
    let latin_1: &[u8] = b"{\"a\":\"caf\xE9\"}\n{\"a\":\"na\xEFve\"}\n";
    for (name, content, reason) in [
        (
            "bad.ndjson",
            page,
            "line 1: not a JSON object: expected value at column 1",
        ),
        ("bad.ndjson", latin_1, "line 1: its text is not UTF-8"),
        (
            "bad.ndjson",
            b"\n[1,2]\n".as_slice(),
            "line 2: not a JSON object but an array",
        ),
        (
            "bad.json",
            page,
            "line 1: not a JSON object: expected value at column 1",
        ),
        ("bad.json", b"null", "line 1: not a JSON object but null"),
        (
            "bad.json",
            b"[1,2,\"x\"]",
            "line 1: not a JSON object but a number",
        ),
        ("bad.json", b"[null]", "line 1: not a JSON object but null"),
        (
            "bad.json",
            b"[[{\"a\":1}]]",
            "line 1: not a JSON object but an array",
        ),
        ("bad.ndjson", b"{\"a\":1,\"a\":2}", "line 1: key twice: `a`"),
    ] {
        for (on_bad_row, expected) in [
            (
                "fail",
                format!("bad:{}", reason.trim_start_matches("line ")),
            ),
            ("quarantine", reason.to_owned()),
        ] {
            let expected = expected.replace("bad:", &format!("{name}:"));
            let table = format!("files: '*'\non_bad_row: {on_bad_row}");
            let mut shop = Shop::new(&table);
            shop.put(name, content);
            let said = shop.run();
            assert!(said.starts_with("error: "), "{said}");
            assert!(
                said.contains(&expected) && said.contains(name),
                "{expected} {said}"
            );
            assert!(shop.known.is_none());
            // In a later run, beside a good file.
            let mut shop = Shop::new(&table);
            shop.put("1.ndjson", "{\"a\":\"x\"}\n");
            assert_eq!(shop.run(), "1 rows");
            shop.put("2.ndjson", "{\"a\":\"y\"}\n").put(name, content);
            let said = shop.run();
            assert!(said.starts_with("error: "), "{said}");
            assert!(
                said.contains(&expected) && said.contains(name),
                "{expected} {said}"
            );
            assert_eq!(shop.rows("a"), "x");
        }
    }
    says(
        "files: a.ndjson\non_bad_row: quarantine",
        &[("a.ndjson", page)],
        "error: `a.ndjson`: none of its rows fits (2): line 1: ",
    );
}

#[test]
fn objects_without_a_key_make_no_table() {
    says(
        "files: a.ndjson",
        &[("a.ndjson", b"{}\n{}\n")],
        "error: `a.ndjson`: its objects (2 in all files) have no key",
    );
    check(
        "files: a.ndjson",
        "a.ndjson",
        "{}\n{\"a\":1}\n",
        "a BIGINT",
        "1\n∅",
    );
}

#[test]
fn nothing_in_a_file_is_no_rows() {
    let mut shop = Shop::new("files: '*'");
    shop.put("a.ndjson", "{\"a\":1}\n")
        .put("b.ndjson", "")
        .put("c.json", " \n")
        .put("d.json", "[ ]");
    assert!(shop.run().starts_with("1 rows"));
    assert_eq!(shop.rows("a _comboi_file"), "1|a.ndjson");
    let mut shop = Shop::new("files: '*'");
    shop.put("b.ndjson", "").put("c.json", "\u{feff}\n");
    assert_eq!(shop.run(), "0 rows");
}

#[test]
fn json_may_be_an_array_one_object_or_lines() {
    for content in [
        "[{\"a\":1,\"b\":{\"c\":\"x\"}},\n{\"a\":2}]",
        "{\"a\":1,\"b\":{\"c\":\"x\"}}\n{\"a\":2}\n",
        "\u{feff}{\"a\":1,\"b\":{\"c\":\"x\"}}\r\n\r\n{\"a\":2}",
        "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": \"x\"\n  }\n}\n{\n  \"a\": 2\n}\n",
        "{\"a\":1,\"b\":{\"c\":\"x\"}}{\"a\":2}",
    ] {
        check(
            "files: a.json",
            "a.json",
            content,
            "a BIGINT, b STRUCT(c VARCHAR)",
            "1|{'c': x}\n2|∅",
        );
    }
    check(
        "files: a.json",
        "a.json",
        "{\n \"data\": [ {\"x\": 1.5}, {\"x\": 2.5} ],\n \"count\": 2\n}\n",
        "data STRUCT(x DOUBLE)[], count BIGINT",
        "[{'x': 1.5}, {'x': 2.5}]|2",
    );
    // Records are told by their lines where there is more than one.
    let table = "files: a.json\ncolumns: {a: BIGINT}";
    says(
        table,
        &[("a.json", b"{\"a\":1}\n\n{\"a\":\"x\"}\n{")],
        "\n  a.json:3: `a` is not a BIGINT\n  a.json:4: not a JSON object: ",
    );
    says(
        table,
        &[("a.json", b"{\n\"a\":1\n}\n{\n\"a\":\"x\"\n}\n")],
        "\n  a.json:4: `a` is not a BIGINT\n",
    );
}

#[test]
fn keys_that_differ_in_case_are_columns_of_their_own() {
    for lines in [
        "{\"a\":1,\"A\":2}\n{\"a\":3}\n",
        "{\"a\":3}\n{\"A\":2,\"a\":1}\n",
    ] {
        check(
            "files: a.ndjson",
            "a.ndjson",
            lines,
            "a BIGINT, A_1 BIGINT",
            "1|2\n3|∅",
        );
    }
    let mut shop = Shop::new("files: '*'\non_bad_row: quarantine");
    shop.put("1.ndjson", "{\"a\":1}\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("2.ndjson", "xx\n{\"A\":2,\"a\":3}\n");
    assert!(shop.run().starts_with("1 rows, 1 put aside"));
    assert_eq!(shop.types(), "a BIGINT, A_1 BIGINT");
    assert_eq!(shop.rows("a A_1"), "1|∅\n3|2");
}

#[test]
fn a_key_is_the_same_column_whatever_other_keys_its_file_has() {
    let files = [
        ("1.ndjson", "{\"a\":1,\"o\":{\"x y\":1}}\n"),
        ("2.ndjson", "{\"A\":2,\"o\":{\"x_y\":2}}\n"),
        (
            "3.ndjson",
            "{\"A\":3,\"a\":4,\"o\":{\"x_y\":3,\"x y\":4}}\n",
        ),
    ];
    for at_once in [true, false] {
        let mut shop = Shop::new("files: '*'");
        for (name, text) in files {
            shop.put(name, text);
            if !at_once {
                assert_eq!(shop.run().lines().next(), Some("1 rows"));
            }
        }
        if at_once {
            assert_eq!(shop.run().lines().next(), Some("3 rows"));
        }
        assert_eq!(shop.rows("a A_1"), "1|∅\n4|3\n∅|2", "{at_once}");
        let (first, second) = if at_once {
            // Within a file, or several that are read together, what can be a name is one.
            ("x_y_1", "x_y")
        } else {
            ("x_y", "x_y_1")
        };
        let value = |name: &str, place: usize| {
            let rows = shop.rows("o");
            let name = format!("'{name}': ");
            let row = rows.lines().nth(place).unwrap();
            let rest = row.split(&name).nth(1).unwrap();
            rest.split([',', '}']).next().unwrap().to_owned()
        };
        let mut values: Vec<String> = (0..3)
            .map(|row| value(first, row) + " " + &value(second, row))
            .collect();
        values.sort();
        assert_eq!(values, ["1 NULL", "4 3", "NULL 2"], "{at_once}");
    }
}

#[test]
fn keys_of_nested_objects_that_differ_in_case_are_fields_of_their_own() {
    let mut shop = Shop::new("files: '*'");
    shop.put("1.ndjson", "{\"o\":{\"a\":1,\"A\":2}}\n{\"o\":{\"a\":3}}\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.types(), "o STRUCT(a BIGINT, A_1 BIGINT)");
    // In a later file the other one comes first, or alone.
    shop.put("2.ndjson", "{\"o\":{\"A\":5,\"a\":4}}\n")
        .put("3.ndjson", "{\"o\":{\"A\":6}}\n");
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.types(), "o STRUCT(a BIGINT, A_1 BIGINT)");
    assert_eq!(
        shop.rows("o"),
        "{'a': 1, 'A_1': 2}\n{'a': 3, 'A_1': NULL}\n{'a': 4, 'A_1': 5}\n{'a': NULL, 'A_1': 6}"
    );
}

#[test]
fn names_of_nested_fields_are_such_that_every_reader_takes_them() {
    check(
        "files: a.ndjson",
        "a.ndjson",
        "{\"id\":1,\"o\":{\"x y\":1,\"a,b;c\":[{\"d(e)\":\"t\"}],\"f=g\\th\\n\":7}}\n",
        "id BIGINT, o STRUCT(x_y BIGINT, a_b_c STRUCT(d_e VARCHAR)[], f_g_h BIGINT)",
        "1|{'x_y': 1, 'a_b_c': [{'d_e': t}], 'f_g_h': 7}",
    );
}

#[test]
fn a_key_twice_is_a_bad_row_whatever_else_there_is() {
    let good = "{\"a\":3}\n";
    for bad in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":1,"o":{"x":1,"x":1}}"#,
        r#"{"a":1,"o":[{"x":{"y":1,"y":2}}]}"#,
    ] {
        for others in [good.to_owned(), format!("{good}xx\n")] {
            let expected = others.lines().count();
            let text = format!("{others}{bad}\n");
            let mut shop = Shop::new("files: '*'\non_bad_row: quarantine");
            shop.put("1.ndjson", &text);
            assert_eq!(shop.run(), format!("1 rows, {expected} put aside"), "{bad}");
            shop.put("2.ndjson", &text);
            assert_eq!(shop.run(), format!("1 rows, {expected} put aside"), "{bad}");
            assert!(shop.quarantined("reason").contains("key twice"), "{bad}");
            assert_eq!(shop.types(), "a BIGINT");
            let mut shop = Shop::new("files: '*'");
            shop.put("1.ndjson", &text);
            let said = shop.run();
            assert!(said.contains("key twice"), "{said}");
        }
    }
}

#[test]
fn texts_are_what_their_escapes_mean_and_json_is_as_it_is_written() {
    check(
        "files: a.ndjson\ncolumns: {j: JSON, n: JSON}",
        "a.ndjson",
        "{\"t\":\"a\\u00e9\\n\\\"\\/\\ud83d\\ude00\",\"j\": {\"k\" : \"\\u00e9\\/\" , \"l\":[ 1.0 , true ]},\"n\":null,\"q\":\"\"}\n",
        "t VARCHAR, j JSON, n JSON, q VARCHAR",
        "aé⏎\"/😀|{\"k\":\"\\u00e9\\/\",\"l\":[1.0,true]}|∅|",
    );
}

#[test]
fn what_differs_from_object_to_object_stays_json() {
    check(
        "files: a.ndjson",
        "a.ndjson",
        "{\"a\":{\"x\":1.10},\"b\":[1,[2]],\"c\":1}\n{\"a\":[1.10],\"b\":[\"3\"],\"c\":{\"y\": 1}}\n",
        "a JSON, b JSON[], c JSON",
        "[1.10]|[\"3\"]|{\"y\":1}\n{\"x\":1.10}|[1, [2]]|1",
    );
}

#[test]
fn a_list_without_items_gets_its_type_with_its_first_item() {
    let mut shop = Shop::new("files: '*'");
    shop.put(
        "1.ndjson",
        "{\"id\":1,\"a\":[],\"b\":null,\"o\":{\"n\":null,\"l\":[[]]}}\n",
    );
    shop.run();
    shop.put(
        "2.ndjson",
        "{\"id\":2,\"a\":[{\"x\":1}],\"b\":{\"k\":1},\"o\":{\"n\":1,\"l\":[[1.5]]}}\n",
    );
    shop.run();
    assert_eq!(
        shop.types(),
        "id BIGINT, a STRUCT(x BIGINT)[], b STRUCT(k BIGINT), o STRUCT(n BIGINT, l DOUBLE[][])"
    );
    assert_eq!(
        shop.rows("id a b o"),
        "1|∅|∅|∅\n2|[{'x': 1}]|{'k': 1}|{'n': 1, 'l': [[1.5]]}"
    );
}

/// A later file says the same as a first one: a list without items is named, an object without keys is JSON.
#[test]
fn empty_values_of_new_fields_are_told() {
    let mut shop = Shop::new("files: '*.ndjson'");
    shop.put("1.ndjson", "{\"s\":{\"a\":1}}\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("2.ndjson", "{\"s\":{\"a\":2,\"b\":[]},\"c\":[]}\n");
    let said = shop.run();
    assert!(said.contains("`c`, `s.b`: every list is empty"), "{said}");
    shop.put("3.ndjson", "{\"s\":{\"a\":3,\"b\":{}}}\n");
    shop.run();
    assert_eq!(shop.types(), "s STRUCT(a BIGINT, b JSON), c \"NULL\"");
    assert_eq!(
        shop.rows("s"),
        "{'a': 1, 'b': NULL}\n{'a': 2, 'b': NULL}\n{'a': 3, 'b': '{}'}"
    );
}

/// Far behind what a sample shows.
#[test]
fn what_is_left_out_of_a_large_file_is_named() {
    let long = "x".repeat(4000);
    let lines = (0..9_000).map(|i| match i {
        8_500 => format!("{{\"id\":{i},\"new\":1,\"s\":{{\"a\":1,\"b\":2}}}}\n"),
        8_600 => format!("{{\"id\":{i},\"s\":{{\"a\":1,\"e\":[]}}}}\n"),
        _ => format!("{{\"id\":{i},\"t\":\"{long}\"}}\n"),
    });
    let text: String = lines.collect();
    for (policy, expected) in [
        (
            "on_schema_change: discard",
            "columns that the table does not take: `new`, `s.b`, `s.e`",
        ),
        (
            "columns: {s: 'STRUCT(a BIGINT)'}",
            "columns that the table does not take: `s.b`\n`s.e`: every list is empty",
        ),
        ("on_schema_change: evolve", "`s.e`: every list is empty"),
    ] {
        let mut shop = Shop::new(&format!("files: '*.ndjson'\nsample_size: 100\n{policy}"));
        shop.put("1.ndjson", "{\"id\":1,\"t\":\"a\",\"s\":{\"a\":1}}\n");
        assert_eq!(shop.run(), "1 rows");
        shop.put("2.ndjson", &text);
        let said = shop.run();
        assert!(said.starts_with("9000 rows"), "{policy}: {said}");
        assert!(said.contains(expected), "{policy}: {said}");
    }
}

/// Without this being linear it takes minutes.
#[test]
fn five_thousand_keys() {
    let object = |row: usize| {
        let members: Vec<String> = (0..5000).map(|i| format!("\"k{i}\":{}", i + row)).collect();
        format!("{{\"id\":{row},\"o\":{{{}}}}}\n", members.join(","))
    };
    let mut shop = Shop::new("files: a.ndjson");
    shop.put("a.ndjson", (0..20).map(object).collect::<String>());
    assert_eq!(shop.run(), "20 rows");
    assert_eq!(shop.types(), "id BIGINT, o JSON");
}

#[test]
fn a_record_that_is_too_long_costs_itself_only() {
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(17 * 1024 * 1024));
    let mut shop = Shop::new("files: a.ndjson\non_bad_row: quarantine");
    shop.put(
        "a.ndjson",
        format!("{{\"a\":\"1\"}}\n{long}{{\"a\":\"2\"}}\n"),
    );
    assert_eq!(shop.run(), "2 rows, 1 put aside");
    assert_eq!(shop.rows("a"), "1\n2");
    assert_eq!(
        shop.quarantined("line byte_position reason"),
        "2|10|the record is longer than 16 MiB"
    );
}

#[test]
fn a_broken_archive_is_told() {
    let zst = zstd::encode_all("{\"a\":1}\n".repeat(100_000).as_bytes(), 1).unwrap();
    says(
        "files: a.ndjson.zst",
        &[("a.ndjson.zst", &zst[..zst.len() / 2])],
        "error: `a.ndjson.zst`: it could not be read to its end: ",
    );
}

/// Far behind what a sample shows: a new key, a wider type, another kind of value.
#[test]
fn far_into_a_large_file() {
    let long = "x".repeat(4000);
    let lines = (0..10_000).map(|i| match i {
        9_000 => format!("{{\"id\":{i},\"o\":{{\"n\":1.5,\"m\":true}},\"new\":1}}\n"),
        9_500 => format!("{{\"id\":{i},\"p\":7}}\n"),
        _ => format!("{{\"id\":{i},\"o\":{{\"n\":1}},\"p\":{{\"q\":1}},\"t\":\"{long}\"}}\n"),
    });
    let text: String = lines.collect();
    let mut shop = Shop::new("files: a.ndjson\nsample_size: 1000");
    shop.put("a.ndjson", &text);
    assert_eq!(shop.run(), "10000 rows");
    assert_eq!(
        shop.types(),
        "id BIGINT, o STRUCT(n DOUBLE, m BOOLEAN), p JSON, t VARCHAR, new BIGINT"
    );
}
