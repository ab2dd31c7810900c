//! Parquet files of other writers: values are taken exactly, or the file is refused by its name and with a reason.

use std::fs;
use std::path::Path;

use crate::shop::Shop;

/// See `tests/parquet/README.md`.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/parquet")
            .join(name),
    )
    .unwrap()
}

#[test]
fn columns_and_fields_go_by_the_names_that_the_file_has() {
    // DuckDB calls the second one of `a` and `A` by another name.
    let mut shop = with("files: '*.parquet'", "1.parquet", fixture("names.parquet"));
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(
        shop.types(),
        "a BIGINT, A_1 BIGINT, o STRUCT(x_y BIGINT, p BIGINT, P_1 BIGINT)[]"
    );
    assert_eq!(shop.rows("a A_1 o"), "1|2|[{'x_y': 3, 'p': 4, 'P_1': 5}]");
    shop.put("2.parquet", fixture("names_alone.parquet"));
    assert_eq!(
        shop.run(),
        "1 rows\nthe source has no `a` any more (dropped or renamed): NULL in every row that is read from now on"
    );
    assert_eq!(
        shop.rows("a A_1 o"),
        "1|2|[{'x_y': 3, 'p': 4, 'P_1': 5}]\n∅|6|[{'x_y': NULL, 'p': NULL, 'P_1': 7}]"
    );
}

fn with(table: &str, name: &str, content: impl AsRef<[u8]>) -> Shop {
    let shop = Shop::new(table);
    shop.put(name, content);
    shop
}

fn refused(name: &str, content: impl AsRef<[u8]>, why: &str) {
    let said = with("files: '*.parquet'", name, content).run();
    assert!(said.starts_with("error: `"), "{said}");
    assert!(
        said.contains(&format!("{name}` ")) || said.contains(&format!("{name}`: ")),
        "{said}"
    );
    assert!(said.contains(why), "{said}");
}

#[test]
fn decimals_of_more_than_38_digits_are_text_with_every_digit() {
    let mut shop = with("files: '**'", "2026/x.parquet", fixture("decimals.parquet"));
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(
        shop.types(),
        "id BIGINT, a VARCHAR, most VARCHAR, l VARCHAR[], s STRUCT(d VARCHAR, t VARCHAR), m MAP(VARCHAR, VARCHAR), \
         fits DECIMAL(38,10), u UUID, at TIMESTAMP WITH TIME ZONE, day DATE, big UBIGINT, f FLOAT"
    );
    let nines = "9".repeat(38);
    assert_eq!(
        shop.rows("id a most _comboi_file"),
        format!(
            "1|1234.56|{nines}.{nines}|2026/x.parquet\n2|-0.01|-{nines}.{nines}|2026/x.parquet\n3|∅|0.{}|2026/x.parquet",
            "0".repeat(38)
        )
    );
    assert_eq!(
        shop.rows("id l s m"),
        format!(
            "1|[1{}, NULL]|{{'d': -2.5, 't': x}}|{{k=7.00}}\n2|[]|{{'d': NULL, 't': NULL}}|{{}}\n3|∅|∅|∅",
            "0".repeat(38)
        )
    );
    assert_eq!(
        shop.rows("id fits u at day big f"),
        "1|9999999999999999999999999999.9999999999|00000000-0000-0000-0000-000000000005|1970-01-01 00:00:00+00|1970-01-01|18446744073709551615|-0.0\n\
         2|-0.0000000001|∅|1970-01-01 00:00:00.000001+00|1969-12-31|0|nan\n3|∅|∅|∅|∅|∅|1.5"
    );
}

#[test]
fn such_a_decimal_is_of_a_type_that_is_said_if_it_fits() {
    let table = "files: '*.parquet'\ncolumns: {a: 'DECIMAL(10,2)'}";
    let mut shop = with(table, "x.parquet", fixture("decimals.parquet"));
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("id a"), "1|1234.56\n2|-0.01\n3|∅");
    let table = "files: '*.parquet'\ncolumns: {a: INTEGER}";
    let said = with(table, "x.parquet", fixture("decimals.parquet")).run();
    assert!(
        said.contains("x.parquet:1: `a` is not an INTEGER"),
        "{said}"
    );
}

#[test]
fn a_page_that_is_not_what_its_checksum_says_is_named() {
    for name in ["checksums.parquet", "checksums_v2.parquet"] {
        let mut shop = with("files: '*.parquet'", name, fixture(name));
        assert_eq!(shop.run(), "500 rows");
    }
    let damaged = |from: &[u8], to: &[u8]| {
        let mut bytes = fixture("checksums.parquet");
        let place = bytes.windows(from.len()).position(|it| it == from).unwrap();
        bytes[place..place + to.len()].copy_from_slice(to);
        bytes
    };
    let why = |column: &str| {
        format!("is damaged: a page of column `{column}` is not what its checksum says")
    };
    // A text of the dictionary, and the numbers 300 and 301.
    refused("a.parquet", damaged(b"text 3", b"text 9"), &why("t"));
    refused(
        "a.parquet",
        damaged(&[0x2c, 1, 0, 0, 0x2d, 1], &[0x2b, 1]),
        &why("id"),
    );
}

#[test]
fn geometries_are_the_bytes_that_they_are() {
    let mut shop = with(
        "files: '*.parquet'",
        "x.parquet",
        fixture("geospatial-with-nan.parquet"),
    );
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.types(), "group VARCHAR, wkt VARCHAR, geometry BLOB");
    // POINT ZM (10 20 30 40) in WKB, as the standard has it.
    let point = "\\x01\\xB9\\x0B\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00$@\\x00\\x00\\x00\\x00\\x00\\x004@\\x00\\x00\\x00\\x00\\x00\\x00>@\\x00\\x00\\x00\\x00\\x00\\x00D@";
    assert!(
        shop.rows("geometry").contains(point),
        "{}",
        shop.rows("geometry")
    );
    // What GeoParquet's metadata says, right or wrong, changes nothing.
    let mut shop = with(
        "files: '*.parquet'",
        "x.parquet",
        fixture("geoparquet.parquet"),
    );
    assert_eq!(shop.run(), "2 rows");
    assert_eq!(shop.types(), "geometry BLOB");
}

#[test]
fn pages_that_duckdb_can_not_read_are_read() {
    let mut shop = with(
        "files: '*.parquet'",
        "x.parquet",
        fixture("hadoop_lz4_compressed.parquet"),
    );
    assert_eq!(shop.run(), "4 rows");
    // As parquet-testing's own description has them.
    assert_eq!(
        shop.rows("c0 c1 v11"),
        "1593604800|abc|42.0\n1593604800|def|7.7\n1593604801|abc|42.125\n1593604801|def|7.7"
    );
    let mut shop = with("files: '*.parquet'", "x.parquet", fixture("split.parquet"));
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("i b"), "-2|\\x00\\xFF\\x5C\n1|abc\n∅|∅");
}

#[test]
fn digits_below_a_microsecond_are_not_cut_off() {
    for (name, column) in [("int96", "at"), ("time", "t"), ("utc", "l.list.element")] {
        refused(
            "x.parquet",
            fixture(&format!("nanos_{name}.parquet")),
            &format!("column `{column}` has times with digits below a microsecond"),
        );
    }
    let rows = |name: &str, column: &str| {
        let mut shop = with("files: '*.parquet'", "x.parquet", fixture(name));
        assert!(shop.run().ends_with(" rows"));
        shop.rows(column)
    };
    assert_eq!(
        rows("micros_int96.parquet", "at"),
        "1969-12-31 23:59:59.999999\n1970-01-01 00:00:00\n1970-01-12 13:46:40.000001"
    );
    assert_eq!(
        rows("micros_time.parquet", "t"),
        "00:00:00.000001\n23:59:59.999999"
    );
    assert_eq!(
        rows("micros_utc.parquet", "at"),
        "1969-12-31 23:59:59.999999+00\n1970-01-01 00:00:00+00"
    );
}

/// Among sound files.
#[test]
fn a_footer_that_is_none_is_named() {
    let mut shop = Shop::new("files: '*.parquet'");
    shop.put("a.parquet", fixture("micros_time.parquet"));
    let mut bytes = fixture("micros_time.parquet");
    let length = bytes.len();
    // Bytes of the footer.
    bytes[length - 60..length - 20].fill(0xff);
    shop.put("b.parquet", bytes);
    let said = shop.run();
    assert!(said.starts_with("error: `"), "{said}");
    assert!(said.contains("b.parquet` is damaged"), "{said}");
}

#[test]
fn a_column_that_the_lake_can_not_keep_is_named() {
    let mut shop = with(
        "files: '*.parquet'",
        "x.parquet",
        fixture("variant.parquet"),
    );
    let said = shop.run();
    assert!(
        said.starts_with("error: column `v` of `x.parquet`: the lake can't keep VARIANT"),
        "{said}"
    );
    shop.configure("files: '*.parquet'\ncolumns: {v: JSON}");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id v"), "1|{\"a\":1,\"b\":[\"x\"]}");
}

#[test]
fn an_encrypted_file_is_called_so() {
    for name in ["encrypted.parquet", "encrypted_columns.parquet"] {
        refused(
            name,
            fixture(name),
            "is encrypted, and encrypted Parquet can't be read: write it without encryption",
        );
    }
}

/// Infinities, and what lies beyond the years and the hours of DuckDB's types.
#[test]
fn dates_and_times_that_no_type_has_are_bad_rows() {
    let mut shop = with(
        "files: '*'\non_bad_row: quarantine",
        "beyond.parquet",
        fixture("beyond.parquet"),
    );
    assert_eq!(shop.run(), "1 rows, 6 put aside");
    assert_eq!(
        shop.rows("at utc day t l"),
        "1970-01-01 00:00:00|1970-01-01 00:00:00+00|1970-01-01|23:59:59.999999|['1970-01-01 00:00:00']"
    );
    assert_eq!(
        shop.quarantined("line reason"),
        "1|`at` is not a TIMESTAMP\n\
         2|`utc` is not a TIMESTAMP WITH TIME ZONE\n\
         3|`day` is not a DATE\n\
         4|`t` is not a TIME\n\
         5|`l` is not a TIMESTAMP[]\n\
         6|`at` is not a TIMESTAMP"
    );
    // An infinity is a text, and no TIMESTAMP_MS.
    for (sql_type, count) in [("VARCHAR", "2 rows, 5"), ("TIMESTAMP_MS", "1 rows, 6")] {
        let mut shop = with(
            &format!("files: '*'\non_bad_row: quarantine\ncolumns: {{at: {sql_type}}}"),
            "beyond.parquet",
            fixture("beyond.parquet"),
        );
        assert_eq!(shop.run(), format!("{count} put aside"), "{sql_type}");
    }
}

/// DuckDB ends the statement over it, without a word of where it is.
#[test]
fn a_value_that_duckdb_does_not_read_is_named() {
    let mut shop = with(
        "files: '*'",
        "1.parquet",
        crate::shop::parquet("at: TIMESTAMP", "at\n2026-01-01\n"),
    );
    shop.put("beyond_ms.parquet", fixture("beyond_ms.parquet"));
    let said = shop.run();
    assert!(
        said.contains("beyond_ms.parquet`: column `at` has a value that can't be read ("),
        "{said}"
    );
    assert!(
        said.contains("write it within the range of its type"),
        "{said}"
    );
}

#[test]
fn a_schema_that_can_not_be_read_is_named_among_others() {
    let mut shop = with(
        "files: '*'",
        "1.parquet",
        crate::shop::parquet("a: BIGINT", "a\n1\n"),
    );
    shop.put("map_no_value.parquet", fixture("map_no_value.parquet"));
    let said = shop.run();
    assert!(
        said.contains("map_no_value.parquet`: its columns can't be read"),
        "{said}"
    );
}

/// Its repetition levels begin with 1 instead of 0 (README of apache/parquet-testing); DuckDB reads it all the same.
#[test]
fn values_that_begin_no_row_are_damage() {
    refused(
        "ARROW-GH-45185.parquet",
        fixture("ARROW-GH-45185.parquet"),
        "the first value of column `x.list.element` does not begin a row",
    );
}

/// `1` and `1.0` are two texts and one number.
#[test]
fn keys_of_a_map_that_become_the_same_are_a_bad_row() {
    let mut shop = with(
        "files: '*'\non_bad_row: quarantine\ncolumns: {m: 'MAP(BIGINT, BIGINT)'}",
        "map_keys.parquet",
        fixture("map_keys.parquet"),
    );
    assert_eq!(shop.run(), "1 rows, 1 put aside");
    assert_eq!(shop.rows("m"), "{2=3}");
    assert_eq!(
        shop.quarantined("line reason"),
        "1|`m` is not a MAP(BIGINT, BIGINT)"
    );
}

#[test]
fn types_with_nothing_in_common_are_text_with_a_warning() {
    let said = "`v`: the types in the files and in the table have none in common, so all values are kept as text; `columns` can say a type";
    let of = |sql_type: &str| crate::shop::parquet(&format!("v: {sql_type}"), "v\nab\n");
    let mut shop = with("files: '*'", "1.parquet", of("BLOB"));
    shop.put("2.parquet", of("VARCHAR"));
    assert_eq!(shop.run(), format!("2 rows\n{said}"));
    assert_eq!(shop.types(), "v VARCHAR");
    shop.put("3.parquet", of("BLOB"));
    assert_eq!(shop.run(), format!("1 rows\n{said}"));
    let mut shop = with("files: '*'\ncolumns: {v: VARCHAR}", "1.parquet", of("BLOB"));
    shop.put("2.parquet", of("VARCHAR"));
    assert_eq!(shop.run(), "2 rows");
}
