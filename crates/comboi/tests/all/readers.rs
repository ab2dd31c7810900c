//! Other programs that read the lake: a filter finds the rows that it finds in memory.

use std::path::Path;
use std::process::Command;

use crate::world::World;

/// Every filter by every value of a column, as pandas and pyarrow ask delta-rs for it. What is right is what pyarrow
/// finds among all rows in memory.
const READ: &str = r#"
import sys
import pyarrow as pa, pyarrow.dataset as ds
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
rows = table.to_pyarrow_table()
count = 0
def check(what, got, filter):
    global count
    count += 1
    wanted = rows.filter(filter).num_rows
    if got != wanted:
        print(what, "finds", got, "of", wanted, "rows")
for column in rows.column_names:
    field = ds.field(column)
    lazy = lambda filter: table.to_pyarrow_dataset().to_table(filter=filter).num_rows
    check(column + " is null", lazy(field.is_null()), field.is_null())
    check(column + " is valid", lazy(field.is_valid()), field.is_valid())
    if pa.types.is_nested(rows[column].type):
        continue
    for place, scalar in enumerate(rows[column].unique().drop_null()):
        for name, filter in {"=": field == scalar, "!=": field != scalar, "<": field < scalar, ">": field > scalar}.items():
            what = f"{column} {name} value {place}"
            check(what, lazy(filter), filter)
            found = table.to_pyarrow_table(filters=[(column, name, scalar)]).num_rows
            check(what + " (filters)", found, filter)
print(rows.num_rows, "rows,", count, "filters")
"#;

/// Values at which bounds are missing, or wider than the values.
const KINDS: &str = "
SELECT * FROM (VALUES
  (1, true, 1.5::DOUBLE, 1.5::FLOAT, 12.34::DECIMAL(10,2), 99999999999999999999999999999999999999::DECIMAL(38,0),
   TIMESTAMPTZ '2024-01-01 00:00:00.0015+00', DATE '2024-01-01', 'a'::BLOB, 'short', {'x': 'NaN'::DOUBLE}, [1, 2], true),
  (2, false, 'NaN', 2.5, -1.00, -5, TIMESTAMPTZ '2024-06-01 12:00:00+00', DATE '2025-01-01', 'b', repeat('z', 20000),
   {'x': 2.0}, [], true),
  (3, NULL, 'infinity', 'NaN', 0, 0, TIMESTAMPTZ '1600-01-01 00:00:00+00', DATE '0001-01-01', '', '', NULL, NULL, false),
  (4, true, -0.0, 0.1, 1, 7, TIMESTAMPTZ '20000-01-01 00:00:00+00', NULL, NULL, chr(1114111) || repeat('y', 50), NULL, [3], NULL)
) v(id, b, d, f, small, large, moment, day, bytes, text, s, l, c), (SELECT NULL::VARCHAR AS nothing)
WHERE (SELECT count(*) FROM orders) > 0
";

/// A struct of which no field has bounds.
const NESTED: &str = "
SELECT * FROM (VALUES (1, {'x': 'NaN'::DOUBLE}), (2, {'x': NULL}), (3, NULL)) v(id, s)
WHERE (SELECT count(*) FROM orders) > 0
";

fn read(world: &World, folder: &str) -> String {
    let tools = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/tools/deltalake"
    ));
    assert!(
        tools.is_dir(),
        "deltalake is not here: run scripts/install-needs test"
    );
    let said = Command::new("python3")
        .args(["-c", READ])
        .arg(world.path(folder))
        .env("PYTHONPATH", tools)
        .output()
        .unwrap();
    let error = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success(), "{error}");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn a_filter_finds_its_rows_in_python() {
    let world = World::small();
    let config = world.read("configs/default.yml");
    let events = "      - {name: events, files: \"events/*.ndjson\"}\n";
    world.write("configs/default.yml", config + events);
    let transformations = world.read("configs/transformations.yml");
    let kinds = "  - name: kinds\n    inputs: [{alias: orders, stage: bronze, source_path: shop/orders}]\n  - name: nested\n    inputs: [{alias: orders, stage: bronze, source_path: shop/orders}]\ngold:";
    world.write(
        "configs/transformations.yml",
        transformations.replace("gold:", kinds),
    );
    world.write("transformations/sql/kinds.sql", KINDS);
    world.write("transformations/sql/nested.sql", NESTED);
    world.write("in/events/a.ndjson", "{\"id\": 1, \"flag\": true}\n");
    world.run();
    assert_eq!(read(&world, "data/bronze/shop/events").lines().count(), 1);
    // Columns that the first file does not have.
    let later = "{\"id\": 2, \"flag\": false, \"new\": \"a\", \"x\": 1.5}\n";
    world.write("in/events/b.ndjson", later);
    world.run();
    for (folder, starts) in [
        ("data/silver/refined/kinds", "4 rows, "),
        ("data/silver/refined/nested", "3 rows, "),
        ("data/bronze/shop/events", "2 rows, "),
    ] {
        let told = read(&world, folder);
        let last = told.lines().count() == 1 && told.starts_with(starts);
        assert!(last, "{told}");
    }
}
