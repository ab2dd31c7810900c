//! What `comboi plan` prints.

use std::fmt;

use comboi_project::{Stage, text};

use super::{ExplainedTask, Explanation};
use crate::plan::TaskKind;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tasks.is_empty() {
            return writeln!(f, "Nothing is selected.");
        }
        writeln!(f, "Planning `{}`\n", self.pipeline)?;
        self.metadata(f)?;
        writeln!(f, "Pipeline DAG:")?;
        for stage in Stage::ALL {
            self.stage(f, stage)?;
        }
        self.queue(f)?;
        self.estimate(f)
    }
}

impl Explanation {
    fn in_stage(&self, stage: Stage) -> impl Iterator<Item = &ExplainedTask> {
        self.tasks.iter().filter(move |task| task.stage == stage)
    }

    fn metadata(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = || self.in_stage(Stage::Bronze);
        if tables().next().is_none() {
            return Ok(());
        }
        let sources = text::counted(self.sources.len() as u64, "source");
        let names: Vec<&str> = tables().map(|task| task.dataset.name()).collect();
        writeln!(f, "Metadata Extraction:")?;
        writeln!(f, "  Found {sources} ({})", self.sources.join(", "))?;
        writeln!(
            f,
            "  Found {} ({})",
            text::counted(names.len() as u64, "table"),
            names.join(", ")
        )?;
        match self.last_run {
            Some(time) => writeln!(
                f,
                "  Checkpoint: last run {} UTC\n",
                time.format("%Y-%m-%d %H:%M:%S")
            ),
            None => writeln!(f, "  Checkpoint: none, nothing has been read yet\n"),
        }
    }

    fn stage(&self, f: &mut fmt::Formatter<'_>, stage: Stage) -> fmt::Result {
        let tasks: Vec<&ExplainedTask> = self.in_stage(stage).collect();
        let Some(last) = tasks.len().checked_sub(1) else {
            return Ok(());
        };
        writeln!(f, "  Stage: {}", capital(stage))?;
        for (i, task) in tasks.iter().enumerate() {
            let (branch, trunk) = if i == last {
                ("└─", "  ")
            } else {
                ("├─", "│ ")
            };
            let name = task.dataset.to_string();
            let name = name.split_once('/').map_or("", |(_, name)| name);
            match task.kind {
                // Nothing is known of a table that could not be looked at.
                TaskKind::Extract if task.because.is_empty() => writeln!(f, "    {branch} {name}")?,
                TaskKind::Extract => writeln!(f, "    {branch} {name} ({})", task.because)?,
                TaskKind::Build => {
                    let inputs: Vec<String> = task.inputs.iter().map(ToString::to_string).collect();
                    writeln!(f, "    {branch} {name} (depends on: {})", inputs.join(", "))?;
                }
            }
            let mut details: Vec<String> = task
                .contracts
                .iter()
                .map(|file| format!("Contract: {file}"))
                .collect();
            if task.kind == TaskKind::Build {
                details.push(format!(
                    "{}: {}",
                    if task.works || task.failed.is_some() {
                        "build"
                    } else {
                        "skip"
                    },
                    task.because
                ));
            }
            details.extend(task.notes.iter().map(|note| format!("note: {note}")));
            let warnings = task.warnings.iter();
            details.extend(warnings.map(|warning| format!("warning: {warning}")));
            details.extend(task.failed.iter().map(|why| format!("would fail: {why}")));
            for (i, detail) in details.iter().enumerate() {
                let leaf = if i + 1 == details.len() {
                    "└─"
                } else {
                    "├─"
                };
                writeln!(f, "    {trunk}  {leaf} {detail}")?;
            }
        }
        writeln!(f)
    }

    fn queue(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Execution Queue:")?;
        let queue: Vec<&ExplainedTask> = self.tasks.iter().filter(|task| task.works).collect();
        for (i, task) in queue.iter().enumerate() {
            let verb = match task.kind {
                TaskKind::Extract => "Extract",
                TaskKind::Build => "Transform",
            };
            writeln!(f, "  {}. {verb} {}", i + 1, task.dataset)?;
        }
        let count = |failing: bool| {
            let idle = self.tasks.iter().filter(|task| !task.works);
            idle.filter(|task| task.failed.is_some() == failing).count() as u64
        };
        let (failing, idle) = (count(true), count(false));
        if failing > 0 {
            writeln!(f, "  {} that would fail", text::counted(failing, "task"))?;
        }
        match (queue.len(), idle) {
            (0, _) if failing == 0 => writeln!(f, "  nothing to do\n"),
            (_, 0) => writeln!(f),
            (_, idle) => writeln!(f, "  {} with nothing to do\n", text::counted(idle, "task")),
        }
    }

    fn estimate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Estimated Data:")?;
        for stage in Stage::ALL {
            let tasks = || self.in_stage(stage).filter(|task| task.works);
            let number = tasks().count() as u64;
            if self.in_stage(stage).next().is_none() {
                continue;
            }
            let what = match stage {
                Stage::Bronze => {
                    let mut line = text::counted(number, "table");
                    let bytes: u64 = tasks().filter_map(|task| task.bytes).sum();
                    if number > 0 && tasks().any(|task| task.bytes.is_some()) {
                        line.push_str(&format!(", ~{}", text::bytes(bytes)));
                    }
                    let rows: u64 = tasks().filter_map(|task| task.rows).sum();
                    if number > 0 && tasks().all(|task| task.rows.is_some()) {
                        line.push_str(&format!(", ~{}", text::counted(rows, "row")));
                    }
                    line
                }
                Stage::Silver => text::counted(number, "transformation"),
                Stage::Gold => text::counted(number, "aggregation"),
            };
            writeln!(f, "  {}: {what}", capital(stage))?;
        }
        Ok(())
    }
}

fn capital(stage: Stage) -> &'static str {
    match stage {
        Stage::Bronze => "Bronze",
        Stage::Silver => "Silver",
        Stage::Gold => "Gold",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use comboi_project::{DatasetId, Project};

    use super::*;
    use crate::{Observed, ObservedDataset, ObservedTable, Plan, Selection};

    const CONFIG: &str = "
sources:
  - name: shop
    type: files
    tables:
      - { name: orders, files: 'orders/*.csv' }
      - { name: customers, files: customers.csv }
";
    const TRANSFORMATIONS: &str = "
silver:
  - { name: orders_clean, inputs: [shop/orders], quality_checks: ['contract:orders_clean'] }
  - { name: people, inputs: [shop/customers] }
gold:
  - { name: daily, inputs: [orders_clean, people] }
";
    const CONTRACT: &str =
        "{ dataset: orders_clean, schema: { columns: [{ name: id, type: BIGINT }] } }";

    /// What `comboi plan` prints of the shop for what a look has found.
    fn printed(stage: &str, observed: &Observed) -> String {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("configs/shop.yml", CONFIG);
        write("configs/transformations.yml", TRANSFORMATIONS);
        write("transformations/contracts/orders_clean.yml", CONTRACT);
        for dataset in ["orders_clean", "people", "daily"] {
            write(
                &format!("transformations/sql/{dataset}.sql"),
                "SELECT 1 AS id",
            );
        }
        let project = Project::load(&folder.path().join("configs/shop.yml"), &|_| None).unwrap();
        let plan = Plan::of(&project, &Selection::parse(stage, None, None).unwrap()).unwrap();
        Explanation::of(&project, &plan, observed).to_string()
    }

    fn id(text: &str) -> DatasetId {
        text.parse().unwrap()
    }

    fn table(filter: &str, new: bool) -> ObservedTable {
        ObservedTable {
            filter: filter.to_owned(),
            new,
            ..ObservedTable::default()
        }
    }

    fn built(why: Option<&str>) -> ObservedDataset {
        ObservedDataset {
            version: Some(3),
            rows: Some(7),
            why: why.map(str::to_owned),
            ..ObservedDataset::default()
        }
    }

    #[test]
    fn a_first_run_does_everything() {
        let orders = ObservedTable {
            bytes: Some(1_500_000),
            rows: Some(20_000),
            ..table("everything", true)
        };
        let customers = ObservedTable {
            bytes: Some(2_000),
            rows: Some(1),
            ..table("everything", true)
        };
        let never = || built(Some("never built"));
        let observed = Observed {
            tables: BTreeMap::from([
                (id("bronze/shop/orders"), orders),
                (id("bronze/shop/customers"), customers),
            ]),
            datasets: ["silver/orders_clean", "silver/people", "gold/daily"]
                .into_iter()
                .map(|name| (id(name), never()))
                .collect(),
        };
        insta::assert_snapshot!(printed("all", &observed), @r"
        Planning `shop`

        Metadata Extraction:
          Found 1 source (shop)
          Found 2 tables (orders, customers)
          Checkpoint: none, nothing has been read yet

        Pipeline DAG:
          Stage: Bronze
            ├─ shop/orders (everything)
            └─ shop/customers (everything)

          Stage: Silver
            ├─ orders_clean (depends on: bronze/shop/orders)
            │   ├─ Contract: orders_clean.yml
            │   └─ build: never built
            └─ people (depends on: bronze/shop/customers)
                └─ build: never built

          Stage: Gold
            └─ daily (depends on: silver/orders_clean, silver/people)
                └─ build: never built

        Execution Queue:
          1. Extract bronze/shop/orders
          2. Extract bronze/shop/customers
          3. Transform silver/orders_clean
          4. Transform silver/people
          5. Transform gold/daily

        Estimated Data:
          Bronze: 2 tables, ~1.5 MB, ~20,001 rows
          Silver: 2 transformations
          Gold: 1 aggregation
        ");
    }

    #[test]
    fn what_reads_something_new_is_built_and_the_rest_is_left() {
        let orders = ObservedTable {
            last_read: "2026-03-01T12:30:00Z".parse().ok(),
            notes: vec!["`orders/a.csv` is not there any more; its rows stay".to_owned()],
            ..table("1 new file", true)
        };
        let observed = Observed {
            tables: BTreeMap::from([
                (id("bronze/shop/orders"), orders),
                (id("bronze/shop/customers"), table("nothing new", false)),
            ]),
            datasets: ["silver/orders_clean", "silver/people", "gold/daily"]
                .into_iter()
                .map(|name| (id(name), built(None)))
                .collect(),
        };
        insta::assert_snapshot!(printed("all", &observed), @r"
        Planning `shop`

        Metadata Extraction:
          Found 1 source (shop)
          Found 2 tables (orders, customers)
          Checkpoint: last run 2026-03-01 12:30:00 UTC

        Pipeline DAG:
          Stage: Bronze
            ├─ shop/orders (1 new file)
            │   └─ note: `orders/a.csv` is not there any more; its rows stay
            └─ shop/customers (nothing new)

          Stage: Silver
            ├─ orders_clean (depends on: bronze/shop/orders)
            │   ├─ Contract: orders_clean.yml
            │   └─ build: bronze/shop/orders changes
            └─ people (depends on: bronze/shop/customers)
                └─ skip: nothing that shapes it has changed

          Stage: Gold
            └─ daily (depends on: silver/orders_clean, silver/people)
                └─ build: silver/orders_clean changes

        Execution Queue:
          1. Extract bronze/shop/orders
          2. Transform silver/orders_clean
          3. Transform gold/daily
          2 tasks with nothing to do

        Estimated Data:
          Bronze: 1 table
          Silver: 1 transformation
          Gold: 1 aggregation
        ");
    }

    #[test]
    fn a_table_that_can_not_be_looked_at_says_why() {
        let failed = ObservedTable {
            failed: Some("there is no file `customers.csv`".to_owned()),
            ..ObservedTable::default()
        };
        let observed = Observed {
            tables: BTreeMap::from([
                (id("bronze/shop/orders"), table("nothing new", false)),
                (id("bronze/shop/customers"), failed),
            ]),
            datasets: BTreeMap::new(),
        };
        insta::assert_snapshot!(printed("bronze", &observed), @r"
        Planning `shop`

        Metadata Extraction:
          Found 1 source (shop)
          Found 2 tables (orders, customers)
          Checkpoint: none, nothing has been read yet

        Pipeline DAG:
          Stage: Bronze
            ├─ shop/orders (nothing new)
            └─ shop/customers
                └─ would fail: there is no file `customers.csv`

        Execution Queue:
          1 task that would fail
          1 task with nothing to do

        Estimated Data:
          Bronze: 0 tables
        ");
    }
}
