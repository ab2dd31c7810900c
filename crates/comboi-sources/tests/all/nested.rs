//! JSON and nested values in the columns of CSV.

use crate::shop::{Shop, parquet};
use crate::typing::declared;

/// RFC 8259. The texts that are none are from the tests "n_…" of github.com/nst/JSONTestSuite.
#[test]
fn json() {
    declared(
        "JSON",
        &[
            (
                "{\"a\": 1.10, \"b\":[98765432109876543.21]}",
                "{\"a\": 1.10, \"b\":[98765432109876543.21]}",
            ),
            ("null", "null"),
            (" \"x\" ", " \"x\" "),
            ("-0.0", "-0.0"),
            ("[1,]", "✗"),
            ("[\"\",]", "✗"),
            ("{\"id\":0,}", "✗"),
            ("[NaN]", "✗"),
            ("[-Infinity]", "✗"),
            ("Inf", "✗"),
            ("[\u{c}]", "✗"),
            ("'a'", "✗"),
            ("[1", "✗"),
            ("[1]]", "✗"),
            ("[\"\\uD800\"]", "✗"),
        ],
    );
}

/// A text is JSON of which each value fits, or as DuckDB writes the value.
#[test]
fn nested_types() {
    declared(
        "BIGINT[]",
        &[
            ("[1,2]", "[1, 2]"),
            (" [ 1 , null , 3.0 ] ", "[1, NULL, 3]"),
            ("[1, NULL]", "[1, NULL]"),
            ("[]", "[]"),
            ("[1,a]", "✗"),
            ("[1,1.5]", "✗"),
            ("[1,,2]", "✗"),
            ("[1,2,]", "✗"),
            ("[1,\"a\"]", "✗"),
            ("[1,9223372036854775808]", "✗"),
            ("1", "✗"),
            ("[[1]]", "✗"),
            ("{\"a\":1}", "✗"),
            ("null", "✗"),
        ],
    );
    declared(
        "VARCHAR[]",
        &[
            (
                "[\"a\\nb\\u0041\",\"c\\\"d\",\"e\\\\f\",\"NULL\",\"\",\" , \",null]",
                "[a⏎bA, 'c\"d', e\\f, 'NULL', '', ' , ', NULL]",
            ),
            (
                "[98765432109876543.21, 1.10, true, {\"a\" : [1]}]",
                "[98765432109876543.21, 1.10, true, '{\"a\":[1]}']",
            ),
            ("[a, b]", "[a, b]"),
            ("['a, b', c]", "['a, b', c]"),
            ("[a,b]", "✗"),
            ("[\"a\nb\"]", "✗"),
            ("a", "✗"),
        ],
    );
    declared(
        "STRUCT(a INTEGER, b DECIMAL(9,2)[], c JSON)",
        &[
            (
                "{\"a\":1,\"b\":[1.10,\"2.50\"],\"c\":{\"d\": [\"\\n\"]}}",
                "{'a': 1, 'b': [1.10, 2.50], 'c': '{\"d\":[\"\\\\n\"]}'}",
            ),
            ("{\"b\":[]}", "{'a': NULL, 'b': [], 'c': NULL}"),
            ("{}", "{'a': NULL, 'b': NULL, 'c': NULL}"),
            ("{\"a\":1.5}", "✗"),
            ("{\"b\":[1.005]}", "✗"),
            ("{\"a\":1,\"z\":1}", "✗"),
            ("{\"a\":1,\"a\":1}", "✗"),
            ("{'a': 1, 'b': [], 'c': NULL}", "✗"),
        ],
    );
    declared(
        "STRUCT(a INTEGER, t DATE)",
        &[
            ("{'a': 1, 't': 2026-03-01}", "{'a': 1, 't': 2026-03-01}"),
            ("{'a': 1.5, 't': NULL}", "✗"),
            ("{'a': 1, 't': 2026-02-30}", "✗"),
        ],
    );
    declared(
        "MAP(VARCHAR, DOUBLE)",
        &[
            ("{\"k\":1.5,\"l=\\\"\":null}", "{k=1.5, 'l=\"'=NULL}"),
            ("{}", "{}"),
            ("{\"k\":1e400}", "✗"),
            ("{\"k\":1,\"k\":2}", "✗"),
            ("{k=1, k=2}", "✗"),
        ],
    );
    declared(
        "INTEGER[2]",
        &[("[1,2]", "[1, 2]"), ("[1]", "✗"), ("[1,2,3]", "✗")],
    );
}

/// Expected values by the rules for values that are not nested: equal, or no value.
#[test]
fn nested_values_of_parquet_are_taken_exactly_or_not_at_all() {
    for (of, json, to, expected) in [
        ("DOUBLE[]", "[1.0, -2.0, null]", "BIGINT[]", "[1, -2, NULL]"),
        ("DOUBLE[]", "[1.5, 2]", "BIGINT[]", "✗"),
        ("DOUBLE[]", "[0.1]", "FLOAT[]", "✗"),
        (
            "BIGINT[]",
            "[9007199254740992]",
            "DOUBLE[]",
            "[9007199254740992.0]",
        ),
        ("BIGINT[]", "[9007199254740993]", "DOUBLE[]", "✗"),
        ("BIGINT[]", "[300]", "TINYINT[]", "✗"),
        ("BIGINT[]", "[2, 0]", "BOOLEAN[]", "✗"),
        ("DECIMAL(9,3)[]", "[1.005]", "DECIMAL(9,2)[]", "✗"),
        ("DECIMAL(9,3)[]", "[1.500]", "DECIMAL(9,2)[]", "[1.50]"),
        ("TIMESTAMP[]", "[\"2026-03-01 12:00:00\"]", "DATE[]", "✗"),
        ("VARCHAR[]", "[\"007\", \"1.0\"]", "BIGINT[]", "[7, 1]"),
        ("VARCHAR[]", "[\"1.5\"]", "BIGINT[]", "✗"),
        (
            "VARCHAR[]",
            "[\"2026-03-01 12:00:00.1234567\"]",
            "TIMESTAMP[]",
            "✗",
        ),
        (
            "STRUCT(a DOUBLE)",
            "{\"a\": 2}",
            "STRUCT(a BIGINT, c DATE)",
            "{'a': 2, 'c': NULL}",
        ),
        ("STRUCT(a DOUBLE)", "{\"a\": 1.5}", "STRUCT(a BIGINT)", "✗"),
        (
            "STRUCT(a DOUBLE)[]",
            "[{\"a\": 1.5}]",
            "STRUCT(a BIGINT)[]",
            "✗",
        ),
        (
            "MAP(VARCHAR, DOUBLE)",
            "{\"k\": 2}",
            "MAP(VARCHAR, BIGINT)",
            "{k=2}",
        ),
        (
            "MAP(VARCHAR, DOUBLE)",
            "{\"k\": 1.5}",
            "MAP(VARCHAR, BIGINT)",
            "✗",
        ),
    ] {
        let file = parquet(
            &format!("v: \"{of}\""),
            &format!("v\n\"{}\"\n", json.replace('"', "\"\"")),
        );
        let mut shop = Shop::new(&format!("files: '*.parquet'\ncolumns: {{v: \"{to}\"}}"));
        shop.put("1.parquet", file);
        let said = shop.run();
        if expected == "✗" {
            assert!(
                said.contains("1 row") && said.contains("`v` is not a"),
                "{of} {json} {to}: {said}"
            );
        } else {
            assert_eq!(said, "1 rows", "{of} {json} {to}");
            assert_eq!(shop.rows("v"), expected, "{of} {json} {to}");
        }
    }
}

/// 2^53 + 1 is no DOUBLE.
#[test]
fn nested_values_of_the_table_are_not_changed_when_its_type_grows() {
    for (first, second) in [
        ("{\"x\":[9007199254740993]}\n", "{\"x\":[0.5]}\n"),
        (
            "{\"x\":{\"a\":9007199254740993}}\n",
            "{\"x\":{\"a\":0.5}}\n",
        ),
    ] {
        let mut shop = Shop::new("files: '*.ndjson'");
        shop.put("1.ndjson", first);
        assert_eq!(shop.run(), "1 rows");
        let before = shop.rows("x");
        shop.put("2.ndjson", second);
        let said = shop.run();
        assert!(
            said.contains("the table has values that do not fit exactly"),
            "{said}"
        );
        assert_eq!(shop.rows("x"), before);
    }
}

#[test]
fn fields_that_a_declared_struct_does_not_have_are_named() {
    let file = parquet(
        "a: \"STRUCT(x BIGINT, q BIGINT)\"",
        "a\n\"{\"\"x\"\":1,\"\"q\"\":2}\"\n",
    );
    for (name, content) in [
        ("1.parquet", file.as_slice()),
        ("1.ndjson", b"{\"a\":{\"x\":1,\"q\":2}}\n"),
    ] {
        let mut shop = Shop::new("files: '1.*'\ncolumns: {a: \"STRUCT(x BIGINT)\"}");
        shop.put(name, content);
        assert_eq!(
            shop.run(),
            "1 rows\ncolumns that the table does not take: `a.q`"
        );
        assert_eq!(shop.rows("a"), "{'x': 1}");
    }
}
