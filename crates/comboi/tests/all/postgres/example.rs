//! `examples/postgres`, which `scripts/local --postgres` starts: its database, its login, its project.

use std::path::Path;

use comboi_test::{ACCOUNT, ACCOUNT_KEY, Azurite, Postgres};

use crate::world::{World, copy_folder};

struct Example {
    database: Postgres,
    /// Holds the stages' containers.
    _azurite: Azurite,
    world: World,
}

impl Example {
    fn new() -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/postgres");
        let file = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();

        let database = Postgres::database();
        database.run(&file("shop.sql"));
        // Logins belong to the whole server, where other tests are.
        let login = format!("reader_of_{}", database.name());
        let rights = file("reader.sql").replace("comboi_reader", &login);
        database.run(&rights.replace(":'password'", "'comboi'"));

        let world = World::new();
        copy_folder(&example, &world.path(""));
        let azurite = Azurite::new();
        let mut config = world.read("configs/default.yml");
        for stage in ["bronze", "silver", "gold"] {
            let container = azurite.container(stage);
            config = config.replace(
                &format!("file_system: {stage}\n"),
                &format!("file_system: {container}\n"),
            );
        }
        world.write("configs/default.yml", config);
        let reached = database
            .url()
            .replace("//postgres:", &format!("//{login}:"));
        let endpoint = Azurite::blob_endpoint();
        world.write(
            ".env",
            format!(
                "SHOP_DATABASE={reached}\nDATA_LAKE_ACCOUNT_NAME={ACCOUNT}\nDATA_LAKE_ENDPOINT={endpoint}\nDATA_LAKE_KEY={ACCOUNT_KEY}\n"
            ),
        );
        Self {
            database,
            _azurite: azurite,
            world,
        }
    }

    /// A run, after which gold is what PostgreSQL itself makes of the tables.
    fn run(&self) -> Vec<String> {
        let outcomes = self.world.outcomes(&["run", "all"]);
        let rows = self.database.run(
            "SELECT (placed_at AT TIME ZONE 'UTC')::date::text, coalesce(country, '??'), count(DISTINCT order_id)::text, sum(quantity)::text,
                sum(quantity * unit_price)::text
            FROM shop.order_items JOIN shop.orders USING (order_id) LEFT JOIN shop.customers USING (customer_id)
            WHERE status <> 'cancelled' GROUP BY (placed_at AT TIME ZONE 'UTC')::date, country",
        );
        let line = |row: Vec<Option<String>>| row.into_iter().flatten().collect::<Vec<_>>();
        let mut expected: Vec<String> = rows.into_iter().map(|row| line(row).join(",")).collect();
        expected.sort();
        assert_eq!(self.world.rows("gold/daily_revenue"), expected);
        outcomes
    }
}

#[test]
fn the_example_reads_a_shop_that_goes_on_selling() {
    let shop = Example::new();
    // 2 + 3 + 4 + 1 lines in each four orders, of the cancelled ones too, each 37th. How many days there are depends on the hour.
    assert_eq!(
        shop.run()[..6],
        [
            "bronze/shop/customers succeeded 1000",
            "bronze/shop/orders succeeded 20000",
            "bronze/shop/order_items succeeded 50000",
            "bronze/shop/products succeeded 60",
            "silver/customers_clean succeeded 1000",
            "silver/order_lines succeeded 48650"
        ]
    );
    // The login sees since when transactions are open, whoever's they are.
    let plan = shop.world.expect(0, &["plan", "bronze"]).out;
    assert!(plan.contains("updated_at >= "), "{plan}");
    assert!(!plan.contains("best effort"), "{plan}");
    shop.database.run("CALL shop.trade(25)");
    shop.run();
    assert_eq!(shop.world.rows("bronze/shop/orders").len(), 20_025);
    assert_eq!(shop.world.rows("bronze/shop/order_items").len(), 50_050);
}
