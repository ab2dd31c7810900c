//! Tables of a real PostgreSQL, read by the real program.

mod bad;
mod connections;
mod drift;
mod example;
mod increments;
mod loads;
mod lost;
mod missed;
mod replica;
mod types;

use comboi_test::Postgres;

use crate::world::World;

/// A database and a project that reads it.
pub(crate) struct Shop {
    pub(crate) database: Postgres,
    pub(crate) world: World,
}

impl Shop {
    /// A database with these tables; `tables` is what stands under `tables:`.
    pub(crate) fn new(sql: &str, tables: &str) -> Self {
        let shop = Self {
            database: Postgres::database(),
            world: World::new(),
        };
        shop.database.run(sql);
        shop.configure(tables);
        shop
    }

    pub(crate) fn configure(&self, tables: &str) {
        self.connect_by(&format!("conn_str: \"{}\"", self.database.url()), tables);
    }

    /// With other keys under `connection:`.
    pub(crate) fn connect_by(&self, connection: &str, tables: &str) {
        let indented = |text: &str, by: &str| {
            text.lines()
                .map(|line| format!("{by}{line}\n"))
                .collect::<String>()
        };
        let config = format!(
            "sources:\n  - name: shop\n    type: postgres\n    connection:\n{}    tables:\n{}",
            indented(connection, "      "),
            indented(tables, "      ")
        );
        self.world.write("configs/default.yml", config);
    }

    /// How the tasks of a run ended.
    pub(crate) fn run(&self) -> Vec<String> {
        self.world.outcomes(&["run", "bronze"])
    }

    /// The only table's message, when it fails.
    pub(crate) fn failure(&self) -> String {
        let report = self.world.json(&["run", "bronze"]);
        let message = report["tasks"][0]["failure"]["message"].as_str();
        message.unwrap_or_else(|| panic!("{report:#}")).to_owned()
    }
}

/// Tables, one after the other, as they stand under `tables:`.
pub(crate) fn table(lines: &[&str]) -> String {
    let mut text = format!("- name: {}\n", lines[0]);
    for line in &lines[1..] {
        text += &format!("  {line}\n");
    }
    text
}
