//! 0.0 and -0.0, which are equal and not the same.

use crate::shop::Shop;

/// Whatever else is in the column, in its row group, and however often the rows are written anew.
#[test]
fn zeros_keep_their_signs() {
    let all = "1|0.0|-0.0|[-0.0, 0.0]\n2|-0.0|0.0|[0.0, -0.0]\n3|∅|∅|∅";
    let csv = "id,d,f,l\n1,0.0,-0.0,\"[-0.0,0.0]\"\n2,-0.0,0.0,\"[0,-0.0]\"\n3,,,\n";
    let types = "columns: {d: DOUBLE, f: FLOAT, l: 'DOUBLE[]'}";
    let mut shop = Shop::new(&format!("files: '*.csv'\n{types}"));
    shop.put("a.csv", csv);
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("id d f l"), all);
    // `id` becomes a DOUBLE, so that the file is written anew.
    shop.put("b.csv", "id,d\n4.5,1\n");
    shop.run();
    assert_eq!(shop.types(), "id DOUBLE, d DOUBLE, f FLOAT, l DOUBLE[]");
    assert_eq!(
        shop.rows("d f l"),
        "-0.0|0.0|[0.0, -0.0]\n0.0|-0.0|[-0.0, 0.0]\n1.0|∅|∅\n∅|∅|∅"
    );

    let mut shop = Shop::new(&format!("files: '*.csv'\n{types}\nprimary_key: id"));
    shop.put("a.csv", csv);
    assert_eq!(shop.run(), "3 rows");
    assert_eq!(shop.rows("id d f l"), all);
    shop.put("b.csv", "id,d,f,l\n3,1,,\n");
    assert_eq!(shop.run(), "1 rows");
    assert_eq!(shop.rows("id d f l"), all.replace("3|∅|∅", "3|1.0|∅"));
}

/// Rows below the boundary are counted once, although they are read twice.
#[test]
fn a_zero_with_a_sign_counts_no_row_twice() {
    let mut shop = Shop::new("files: '*.csv'\ncolumns: {d: DOUBLE}\nincremental_column: id");
    shop.put("a.csv", "id,d\n10,0.0\n11,-0.0\n");
    assert_eq!(shop.run(), "2 rows");
    shop.put("b.csv", "id,d\n1,0.0\n2,-0.0\n12,0.0\n13,-0.0\n");
    let said = shop.run();
    assert!(said.contains("2 rows"), "{said}");
    assert_eq!(shop.rows("id d"), "10|0.0\n11|-0.0\n12|0.0\n13|-0.0");
}
