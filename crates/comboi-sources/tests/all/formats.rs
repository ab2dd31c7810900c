//! What files say, in each format.

use std::io::Write as _;

use crate::shop::{Shop, parquet};

fn check(table: &str, file: &str, content: impl AsRef<[u8]>, types: &str, rows: &str) {
    let mut shop = Shop::new(table);
    shop.put(file, content);
    let said = shop.run();
    assert!(!said.starts_with("error"), "{said}");
    assert_eq!(shop.types(), types);
    assert_eq!(shop.rows(&shop.names()), rows.trim());
}

#[test]
fn csv_types_are_found_and_nothing_is_taken_for_a_number_that_is_not_one() {
    check(
        "files: a.csv",
        "a.csv",
        "id,zip,phone,price,ok,day,at,instant,big,text\n\
         1,01234,+49301,1.50,true,2026-03-01,2026-03-01 12:00:00,2026-03-01T12:00:00+02:00,12345678901234567890,x\n\
         -2,99999,+1555,2,false,2026-03-02,2026-03-02,2026-03-01T12:00:00Z,1,\n",
        "id BIGINT, zip VARCHAR, phone VARCHAR, price DOUBLE, ok BOOLEAN, day DATE, at TIMESTAMP, instant TIMESTAMP WITH TIME ZONE, big HUGEINT, text VARCHAR",
        "-2|99999|+1555|2.0|false|2026-03-02|2026-03-02 00:00:00|2026-03-01 12:00:00+00|1|∅\n\
         1|01234|+49301|1.5|true|2026-03-01|2026-03-01 12:00:00|2026-03-01 10:00:00+00|12345678901234567890|x",
    );
}

#[test]
fn a_byte_order_mark_of_utf_16_decides() {
    let text = |mark: &str, to_bytes: fn(u16) -> [u8; 2], text: &str| {
        let all = format!("{mark}{text}");
        all.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
    };
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "id,name\n1,é\n")
        .put(
            "2.csv",
            text("\u{feff}", u16::to_le_bytes, "id,name\n2,é\n"),
        )
        .put(
            "3.csv",
            text("\u{feff}", u16::to_be_bytes, "id,name\n3,é\n"),
        );
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("id name"), "1|é\n2|é\n3|é");
    shop.put("4.csv", text("", u16::to_le_bytes, "id,name\n4,é\n"));
    assert_eq!(
        shop.run(),
        "error: `4.csv`: its header has NUL characters (if it is UTF-16, set `csv: encoding` to `utf-16le`); nothing was loaded. Put a good file in its place, or take it away, and run again"
    );
}

#[test]
fn a_header_in_another_encoding_is_an_error() {
    let mut shop = Shop::new("files: '*.csv'\non_bad_row: quarantine");
    shop.put("1.csv", b"stra\xdfe,n\na,1\n");
    assert!(
        shop.run()
            .starts_with("error: `1.csv`: its header is not UTF-8 (set `csv: encoding`)")
    );
}

#[test]
fn a_first_line_may_name_the_delimiter() {
    for (options, file, names) in [
        ("", "sep=;\nid;text\n1;a,b,c\n", "id text"),
        (
            "csv: {delimiter: ';'}",
            "\u{feff}sep=;\r\nid;text\r\n1;a,b,c\r\n",
            "id text",
        ),
        ("csv: {header: false}", "sep=|\n1|a,b,c", "column0 column1"),
        (
            "csv: {skip_lines: 1}",
            "a title\nsep=;\nid;text\n1;a,b,c\n",
            "id text",
        ),
    ] {
        let mut shop = Shop::new(&format!("files: '*.csv'\n{options}"));
        shop.put("1.csv", file);
        assert_eq!(shop.run(), "1 rows", "{options}");
        assert_eq!(shop.rows(names), "1|a,b,c", "{options}");
    }
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "sep=;\nid;text\n1;a\n2\n");
    assert!(shop.run().contains("1.csv:4: 1 value for 2 columns"));
}

/// As PostgreSQL's `COPY … ESCAPE` has it: an escape that is before neither a quote nor itself is a character.
#[test]
fn an_escape_that_escapes_nothing_stays() {
    let csv = r#"id,v
1,"C:\tmp"
2,"a \" b \\ c"
3,C:\tmp
4,"\N"
5,"a\,b\"
"#;
    // A lone `\"` at the end of a field would escape its quote.
    let csv = csv.replace("b\\\"\n", "b\\\\\"\n");
    let rows = "1|C:\\tmp\n2|a \" b \\ c\n3|C:\\tmp\n4|\\N\n5|a\\,b\\";
    for (name, content) in [("a.csv", csv.as_bytes().to_vec()), ("a.csv.gz", gzip(&csv))] {
        let mut shop = Shop::new("files: '*'\ncsv: {escape: '\\'}");
        shop.put(name, content);
        assert_eq!(shop.run(), "5 rows", "{name}");
        assert_eq!(shop.rows("id v"), rows, "{name}");
    }
}

#[test]
fn an_empty_value_behind_the_last_column_is_passed_over() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "a,b\n1,2,,\n3,4\n");
    // Taken apart: line ends of two kinds.
    shop.put("2.csv", "a,b\n5,6,,\r\n7,8,\"\"\n");
    assert_eq!(shop.run(), "4 rows");
    assert_eq!(shop.rows("a b"), "1|2\n3|4\n5|6\n7|8");
    shop.put("3.csv", "a,b\n1,2,,x\n9,9\n");
    let said = shop.run();
    assert!(said.contains("3.csv:2: 4 values for 2 columns"), "{said}");
}

#[test]
fn the_delimiter_is_seen_and_can_be_said() {
    check(
        "files: a.csv",
        "a.csv",
        "a;b\n1;x,y\n",
        "a BIGINT, b VARCHAR",
        "1|x,y",
    );
    check(
        "files: a.tsv",
        "a.tsv",
        "a\tb\n1\tx,y\n",
        "a BIGINT, b VARCHAR",
        "1|x,y",
    );
    check(
        "files: a.csv\ncsv: {delimiter: '|', quote: \"'\"}",
        "a.csv",
        "a|b\n1|'x|y'\n",
        "a BIGINT, b VARCHAR",
        "1|x|y",
    );
    check(
        "files: a.csv\ncsv: {escape: '\\'}",
        "a.csv",
        "a,b\n1,\"x\\\"y\"\n",
        "a BIGINT, b VARCHAR",
        "1|x\"y",
    );
}

#[test]
fn without_a_header_columns_go_by_their_place() {
    check(
        "files: a.csv\ncsv: {header: false}",
        "a.csv",
        "1,x\n2,y\n",
        "column0 BIGINT, column1 VARCHAR",
        "1|x\n2|y",
    );
    check(
        "files: a.csv\ncsv: {header: false}\ncolumns: {id: INTEGER, name: VARCHAR}",
        "a.csv",
        "1,x\n2,y\n",
        "id INTEGER, name VARCHAR",
        "1|x\n2|y",
    );
}

#[test]
fn lines_before_the_header_comments_and_null_texts() {
    check(
        "files: a.csv\ncsv: {skip_lines: 2, comment: '#', null_values: [NA, '-']}",
        "a.csv",
        "Report, of \"today\nanother line\n# a comment\nid,v\n1,NA\n# more\n2,-\n3,4\n",
        "id BIGINT, v BIGINT",
        "1|∅\n2|∅\n3|4",
    );
}

#[test]
fn numbers_and_dates_as_people_write_them() {
    check(
        "files: a.csv\ncsv: {decimal_separator: ',', date_format: '%d.%m.%Y', timestamp_format: '%d.%m.%Y %H:%M'}\ncolumns: {amount: 'DECIMAL(10,2)'}",
        "a.csv",
        "amount;rate;day;at\n1,50;0,25;24.12.2025;24.12.2025 18:30\n-3;1;01.02.2026;01.02.2026 00:00\n",
        "amount DECIMAL(10,2), rate DOUBLE, day DATE, at TIMESTAMP",
        "-3.00|1.0|2026-02-01|2026-02-01 00:00:00\n1.50|0.25|2025-12-24|2025-12-24 18:30:00",
    );
}

#[test]
fn encodings() {
    let utf_16: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(
            "naïve,n\nä€😀,1\n"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    check(
        "files: a.csv\ncsv: {encoding: utf-16}",
        "a.csv",
        utf_16,
        "naïve VARCHAR, n BIGINT",
        "ä€😀|1",
    );
    check(
        "files: a.csv\ncsv: {encoding: latin-1}",
        "a.csv",
        b"stra\xDFe,n\n\xE4,1\n",
        "straße VARCHAR, n BIGINT",
        "ä|1",
    );
    check(
        "files: a.csv",
        "a.csv",
        "\u{feff}a,b\n1,ä\n",
        "a BIGINT, b VARCHAR",
        "1|ä",
    );
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

#[test]
fn compressed_files() {
    let two = [gzip("a,b\n1,x\n"), gzip("2,y\n")].concat();
    check(
        "files: a.csv.gz",
        "a.csv.gz",
        two,
        "a BIGINT, b VARCHAR",
        "1|x\n2|y",
    );
    let zst = zstd::encode_all(b"{\"a\":1}\n{\"a\":2}\n".as_slice(), 1).unwrap();
    check(
        "files: a.ndjson.zst",
        "a.ndjson.zst",
        zst,
        "a BIGINT",
        "1\n2",
    );
}

/// The first bytes of gzip, zstd and zip are those of their specifications.
#[test]
fn a_file_that_is_not_what_its_name_says_is_told_so() {
    let zst = zstd::encode_all(b"a,b\n1,x\n".as_slice(), 1).unwrap();
    for (name, content, why) in [
        (
            "a.csv.gz",
            b"a,b\n1,x\n".to_vec(),
            "it is not compressed by gzip, as its name says: rename it",
        ),
        (
            "a.csv.gz",
            zst.clone(),
            "it is not compressed by gzip, as its name says: rename it",
        ),
        (
            "a.ndjson.zst",
            gzip("{}"),
            "it is not compressed by zstd, as its name says: rename it",
        ),
        (
            "a.csv",
            gzip("a,b\n1,x\n"),
            "it is compressed by gzip: end its name with `.gz`",
        ),
        (
            "a.json",
            zst,
            "it is compressed by zstd: end its name with `.zst`",
        ),
        (
            "a.csv",
            b"PK\x03\x04\x14\0".to_vec(),
            "it is a zip archive, which can't be read: unpack it",
        ),
    ] {
        let mut shop = Shop::new("files: '*'");
        shop.put(name, content);
        let said = shop.run();
        assert!(
            said.starts_with("error: ") && said.contains(name) && said.contains(why),
            "{said}"
        );
    }
}

#[test]
fn ndjson() {
    check(
        "files: a.ndjson",
        "a.ndjson",
        "{\"id\":1,\"s\":\"007\",\"at\":\"2026-03-01T12:00:00Z\",\"n\":1.5,\"tags\":[\"a\",\"b\"],\"to\":{\"city\":\"Köln\"}}\n\n{\"to\":{\"city\":null,\"zip\":1},\"n\":2,\"id\":2,\"extra\":true}\n",
        "id BIGINT, s VARCHAR, at TIMESTAMP WITH TIME ZONE, n DOUBLE, tags VARCHAR[], to STRUCT(city VARCHAR, zip BIGINT), extra BOOLEAN",
        "1|007|2026-03-01 12:00:00+00|1.5|[a, b]|{'city': Köln, 'zip': NULL}|∅\n2|∅|∅|2.0|∅|{'city': NULL, 'zip': 1}|true",
    );
}

#[test]
fn json_arrays() {
    check(
        "files: a.json",
        "a.json",
        "[ {\"a\":1,\"b\":\"x\"},\n {\"b\":\"y\"} ]",
        "a BIGINT, b VARCHAR",
        "1|x\n∅|y",
    );
}

#[test]
fn parquet_keeps_its_types() {
    let mut shop = Shop::new("files: '*.parquet'");
    let other = parquet(
        "a: 'DECIMAL(9,3)', d: DATE, s: SMALLINT",
        "a,d,s,t\n1.125,2026-01-31,7,x\n",
    );
    shop.put("x.parquet", &other);
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(
        shop.types(),
        "a DECIMAL(9,3), d DATE, s SMALLINT, t VARCHAR"
    );
    assert_eq!(
        shop.rows("a d s t _comboi_file _comboi_run_id"),
        "1.125|2026-01-31|7|x|x.parquet|1"
    );
    shop.put("broken.parquet", &other[..other.len() - 9]);
    let said = shop.run();
    assert!(
        said.starts_with("error") && said.contains("broken.parquet"),
        "{said}"
    );
}

#[test]
fn nothing_in_a_file_is_no_rows() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("a.csv", "id,v\n1,x\n")
        .put("empty.csv", "")
        .put("only_header.csv", "id,v,w")
        .put("blank.csv", "\n\n");
    assert_eq!(shop.run(), "1 rows\n`a.csv` has no `w`: NULL there");
    assert_eq!(shop.rows("id v w _comboi_file"), "1|x|∅|a.csv");
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("only_header.csv", "id,v\n");
    assert_eq!(shop.run(), "0 rows");
    assert_eq!(shop.types(), "id \"NULL\", v \"NULL\"");
}

#[test]
fn names_that_the_lake_has_no_place_for_are_written_another_way() {
    check(
        "files: a.csv",
        "a.csv",
        "Order ID,Amount (EUR),a,A,\n1,2,3,4,5\n",
        "Order_ID BIGINT, Amount_EUR BIGINT, a BIGINT, A_1 BIGINT, column4 BIGINT",
        "1|2|3|4|5",
    );
}

#[test]
fn types_that_are_said_are_kept_exactly() {
    check(
        "files: a.csv\ncolumns: {h: HUGEINT, d: 'DECIMAL(38,10)', t: TIME, u: UUID, j: JSON, x: UBIGINT, ns: TIMESTAMP_NS}",
        "a.csv",
        "h,d,t,u,j,x,ns\n99999999999999999999999999999999999999,1234567890123456789012345678.0123456789,23:59:59.999999,6f9619ff-8b86-d011-b42d-00cf4fc964ff,\"{\"\"a\"\": 1}\",18446744073709551615,2026-01-01 00:00:00.000001\n",
        "h HUGEINT, d DECIMAL(38,10), t TIME, u UUID, j JSON, x UBIGINT, ns TIMESTAMP_NS",
        "99999999999999999999999999999999999999|1234567890123456789012345678.0123456789|23:59:59.999999|6f9619ff-8b86-d011-b42d-00cf4fc964ff|{\"a\": 1}|18446744073709551615|2026-01-01 00:00:00.000001",
    );
}

#[test]
fn line_ends_may_be_mixed() {
    let rows = "1|x\n2|y\n3|z";
    let types = "a BIGINT, b VARCHAR";
    for text in [
        "a,b\r\n1,x\r\n2,y\n3,z\n",
        "a,b\n1,x\n2,y\r\n3,z\r\n",
        "a,b\r\n1,x\r\n2,y\r\n3,z\n",
        "a,b\n1,x\r2,y\r\n3,z",
        "a,b\r1,x\n2,y\r3,z\r",
        "a,b\r1,x\r2,y\r3,z\r",
        "a,b\r\n1,\"x\"\n\n2,y\r\n\r\n3,z",
    ] {
        let mut shop = Shop::new("files: a.csv");
        shop.put("a.csv", text);
        assert_eq!(shop.run(), "3 rows", "{text:?}");
        assert_eq!(shop.rows("a b"), rows, "{text:?}");
        assert_eq!(shop.types(), types, "{text:?}");
    }
}

#[test]
fn a_file_of_mixed_line_ends_is_found_among_others() {
    let mut shop = Shop::new("files: '*.csv'");
    shop.put("1.csv", "a,b\n1,x\n");
    assert_eq!(shop.run(), "1 rows");
    shop.put("2.csv", "a,b\n2,y\n")
        .put("3.csv", "a,b\n3,z\r\n4,w\n")
        .put("4.csv", "a,b\n5,v\n?,u\n");
    let said = shop.run();
    assert!(
        said.starts_with("error: 1 row does not fit:\n  4.csv:3: `a` is not a BIGINT\n"),
        "{said}"
    );
    shop.configure("files: '*.csv'\non_bad_row: quarantine");
    assert_eq!(shop.run(), "4 rows, 1 put aside");
    assert_eq!(shop.rows("a b"), "1|x\n2|y\n3|z\n4|w\n5|v");
}
