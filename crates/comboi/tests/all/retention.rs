//! Rows past their age, as a user meets them.

use crate::world::World;

/// Orders of long ago and of long hence, already in the lake when somebody says how long they are kept.
fn shop() -> World {
    let world = World::small();
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2020-05-01,10.00\n2,2999-05-01,20.50\n3,,5.00\n",
    );
    world.run();
    let config = world.read("configs/default.yml");
    let kept = "        data_retention: { max_age_days: 365, column: day }\n";
    world.write("configs/default.yml", format!("{config}{kept}"));
    world
}

#[test]
fn rows_past_their_age_are_told_and_removed_on_request() {
    let world = shop();
    let told = world.expect(0, &["retention"]).out;
    assert_eq!(
        told,
        "\
table               kept             rows  past their age  age unknown  versions
bronze/shop/orders  365 days by day     3               1            1         1

`comboi retention --apply` removes 1 row for good: 1 version with such rows can't be shown or restored any more.
"
    );
    assert_eq!(world.rows("orders").len(), 3);
    // Only what is asked for.
    world.expect(2, &["retention", "--keep", "1h"]);
    let unknown = world.expect(2, &["retention", "order"]).err;
    assert!(unknown.contains("did you mean"), "{unknown}");

    let told = world.json(&["retention", "orders", "--apply"]);
    let table = &told[0]["tables"][0];
    assert_eq!(told[0]["dataset"], "bronze/shop/orders");
    assert_eq!(
        (&table["past_age"], &table["files_deleted"]),
        (&1.into(), &1.into()),
        "{told}"
    );
    assert_eq!(world.rows("orders"), ["2,2999-05-01,20.50", "3,NULL,5.00"]);
    let gone = world.comboi(&["show", "orders", "--version", "0"]);
    assert_ne!(gone.code, Some(0), "{}", gone.out);
    let told = world.expect(0, &["retention"]).out;
    assert!(told.contains("Nothing is past its age."), "{told}");

    world.run();
    assert_eq!(world.rows("daily"), ["2999-05-01,20.50,1", "NULL,5.00,1"]);
}

#[test]
fn a_column_that_has_no_age_is_told_with_its_place() {
    let world = shop();
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        config.replace("column: day", "column: id"),
    );
    let said = world.comboi(&["retention", "--apply"]);
    assert!(matches!(said.code, Some(1 | 2)), "{}", said.out);
    assert!(
        format!("{}{}", said.out, said.err).contains("`id`"),
        "{}{}",
        said.out,
        said.err
    );
    world.write("configs/default.yml", config);
    assert_eq!(world.rows("orders").len(), 3);
}
