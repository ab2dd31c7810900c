//! Which rows, and which of their values, are kept of a cluster.
//!
//! Only rows that share their cluster with others are sorted; the rest pass through. Every choice is a window over the
//! rows of a cluster, which DuckDB spills when it has to.

use comboi_project::{
    Columns, Dedupe, Deduplication, GoldenRule, Keep, Located, Problem, Ranked, SqlType,
    SurvivorRule,
};

use super::pairs::probability_and;
use super::rows::{PLACED, ROW};
use crate::sql::{ident, text};

/// Columns that rules name, but those whose values are chosen by rules of their own.
pub(super) fn columns_named(how: &Dedupe) -> impl Iterator<Item = &Located<String>> {
    let survivor = how
        .output
        .survivor
        .iter()
        .filter_map(|rule| match &rule.value {
            SurvivorRule::By(_, column) => Some(column),
            _ => None,
        });
    let golden = how
        .output
        .golden
        .iter()
        .filter_map(|(_, rule)| match &rule.value {
            GoldenRule::ByTime(_, column) => column.as_ref(),
            _ => None,
        });
    let chosen = how.output.golden.iter().map(|(name, _)| name);
    survivor
        .chain(golden)
        .chain(chosen.filter(|name| name.value != DEFAULT))
}

/// Under this name stands the rule for columns without one of their own.
const DEFAULT: &str = "default";

/// Rules that do not fit the types of their columns.
pub(super) fn problems(how: &Dedupe, columns: &Columns) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, rule) in how.output.golden.iter() {
        let column = columns.get(name);
        let text = column.is_some_and(|column| matches!(column.sql_type, SqlType::Varchar(_)));
        let fits = match &rule.value {
            GoldenRule::Concat(_) | GoldenRule::OfValues(Ranked::Longest) => text,
            _ => true,
        };
        if name.value == DEFAULT {
            if matches!(
                rule.value,
                GoldenRule::Concat(_) | GoldenRule::OfValues(Ranked::Longest)
            ) {
                let problem =
                    Problem::at(&rule.place, "this rule is for texts, not for every column");
                problems.push(problem.hint("give it to single columns"));
            }
        } else if let Some(column) = column.filter(|_| !fits) {
            let message = format!(
                "this rule is for texts, and `{}` is {}",
                name.value, column.sql_type
            );
            problems.push(Problem::at(&rule.place, message).hint("cast it in the query"));
        }
    }
    problems
}

/// The statement that says which rows survive of the clusters of several, as table `survivors` (`r`), if that has to be known.
///
/// It looks at no column but those that the choice is about.
pub(super) fn choose(how: &Deduplication, columns: &Columns) -> Option<String> {
    let choice = Choice { how, columns };
    (how.how.output.keep != Keep::Golden && !choice.is_of_first()).then(|| {
        format!(
            "CREATE TABLE survivors AS SELECT t.{ROW} AS r FROM {PLACED} AS t WHERE {SHARED} QUALIFY row_number() OVER (PARTITION BY t._comboi_c ORDER BY {}) = 1",
            choice.order()
        )
    })
}

/// The query for what is kept, once that is chosen: the columns of the rows, then those that are added.
pub(super) fn select(how: &Deduplication, columns: &Columns) -> String {
    let choice = Choice { how, columns };
    match how.how.output.keep {
        Keep::Survivor => choice.survivors(),
        Keep::All => choice.all(),
        Keep::Golden => choice.golden(),
    }
}

/// Rows (`t`) with the names of their clusters (`m`), where those have to be known.
const ROWS_AND_NAMES: &str = "FROM placed AS t LEFT JOIN named AS m ON m.c = t._comboi_c";
/// Whether a row shares its cluster.
const SHARED: &str = "t._comboi_size > 1";

struct Choice<'a> {
    how: &'a Deduplication,
    columns: &'a Columns,
}

impl Choice<'_> {
    /// What its strongest pair adds to a row of [`PLACED`], with a comma in front.
    fn match_of(&self, row: &str) -> String {
        if self.how.compares() {
            format!(", {}", probability_and(&format!("{row}._comboi_weight")))
        } else {
            String::new()
        }
    }

    fn columns_of(&self, table: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .names()
            .map(|name| format!("{table}.{}", ident(name)))
            .collect();
        columns.join(", ")
    }

    /// Whether the row with the smallest id survives, whatever else it holds.
    fn is_of_first(&self) -> bool {
        let rule = self.how.how.output.survivor.first();
        rule.is_some_and(|rule| rule.value == SurvivorRule::First)
    }

    /// Whether a row survives.
    fn survives(&self) -> String {
        if self.is_of_first() {
            format!("coalesce(m.first = {}, true)", self.id())
        } else {
            format!("(t._comboi_size = 1 OR t.{ROW} IN (FROM survivors))")
        }
    }

    fn survivors(&self) -> String {
        let (row, survives) = (self.columns_of_row(), self.survives());
        format!("SELECT {row} {ROWS_AND_NAMES} WHERE {survives}")
    }

    fn all(&self) -> String {
        let (row, survives) = (self.columns_of_row(), self.survives());
        format!("SELECT {row}, {survives} {ROWS_AND_NAMES}")
    }

    /// A row's own columns and those of its cluster.
    fn columns_of_row(&self) -> String {
        format!(
            "{}, coalesce(m.cluster_id, {}), t._comboi_size{}",
            self.columns_of("t"),
            self.id(),
            self.match_of("t")
        )
    }

    fn golden(&self) -> String {
        let (mut values, mut counts, mut lists, mut joins) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (i, column) in self.columns.iter().enumerate() {
            let name = ident(&column.name);
            match self.rule(&column.name) {
                GoldenRule::Concat(separator) => {
                    values.push(format!("t.{name} AS v{i}"));
                    lists.push(format!("j{i}.v"));
                    joins.push(format!(
                        "LEFT JOIN (SELECT c, string_agg(v, {} ORDER BY v) AS v FROM (SELECT DISTINCT t._comboi_c AS c, t.{name} AS v FROM {PLACED} AS t WHERE {SHARED} AND t.{name} IS NOT NULL) GROUP BY c) AS j{i} ON j{i}.c = best._comboi_c",
                        text(separator),
                    ));
                    continue;
                }
                GoldenRule::MostFrequent => counts.push(format!(
                    "count(*) OVER (PARTITION BY t._comboi_c, t.{name}) AS _comboi_n{i}"
                )),
                _ => {}
            }
            lists.push(format!("best.v{i}"));
            values.push(self.golden_value(i, &column.name));
        }
        let counts = if counts.is_empty() {
            String::new()
        } else {
            format!(", {}", counts.join(", "))
        };
        let id = ident(&self.how.unique_id);
        format!(
            "SELECT {columns}, [t.{id}] {ROWS_AND_NAMES} WHERE t._comboi_size = 1
UNION ALL
SELECT {lists}, best._comboi_cluster, best._comboi_size{best_match}, ids.v FROM (
  SELECT {values}, t._comboi_c, t._comboi_cluster, t._comboi_size{weight}
  FROM (SELECT t.*, m.cluster_id AS _comboi_cluster{counts} {ROWS_AND_NAMES} WHERE {SHARED}) AS t
  QUALIFY row_number() OVER (PARTITION BY t._comboi_c ORDER BY {order}) = 1
) AS best
JOIN (SELECT t._comboi_c AS c, list(t.{id} ORDER BY t.{id}) AS v FROM {PLACED} AS t WHERE {SHARED} GROUP BY t._comboi_c) AS ids ON ids.c = best._comboi_c
{joins}",
            columns = self.columns_of_row(),
            best_match = self.match_of("best"),
            weight = if self.how.compares() { ", t._comboi_weight" } else { "" },
            lists = lists.join(", "),
            values = values.join(", "),
            order = self.order(),
            joins = joins.join("\n"),
        )
    }

    /// The rule of a column.
    fn rule(&self, column: &str) -> &GoldenRule {
        let golden = &self.how.how.output.golden;
        if column.eq_ignore_ascii_case(&self.how.unique_id) {
            return &GoldenRule::Survivor;
        }
        let own = golden
            .iter()
            .find(|(name, _)| name.value != DEFAULT && name.eq_ignore_ascii_case(column));
        let default = || golden.iter().find(|(name, _)| name.value == DEFAULT);
        own.or_else(default)
            .map_or(&GoldenRule::Survivor, |(_, rule)| &rule.value)
    }

    fn golden_value(&self, i: usize, column: &str) -> String {
        let (name, id) = (format!("t.{}", ident(column)), self.id());
        let order = match self.rule(column) {
            GoldenRule::Survivor | GoldenRule::Concat(_) => self.order(),
            GoldenRule::First => id,
            GoldenRule::MostComplete => format!("{}, {id}", self.complete()),
            GoldenRule::MostFrequent => format!("t._comboi_n{i} DESC, {id}"),
            GoldenRule::SourcePriority(sources) => format!("{}, {id}", self.source(sources)),
            GoldenRule::OfValues(by) => format!("{}, {id}", ranked(*by, &name)),
            GoldenRule::ByTime(by, by_column) => {
                let time = by_column.as_ref().or_else(|| self.time());
                time.map_or_else(
                    || self.order(),
                    |time| format!("{}, {id}", ranked(*by, &format!("t.{}", ident(time)))),
                )
            }
        };
        format!(
            "first_value({name} IGNORE NULLS) OVER (PARTITION BY t._comboi_c ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS v{i}"
        )
    }

    /// The column by which the rule for survivors tells what is late.
    fn time(&self) -> Option<&Located<String>> {
        let mut rules = self.how.how.output.survivor.iter();
        rules.find_map(|rule| match &rule.value {
            SurvivorRule::By(Ranked::Greatest | Ranked::Smallest, column) => Some(column),
            _ => None,
        })
    }

    /// The rows of a cluster, the one that survives first.
    fn order(&self) -> String {
        let rules = &self.how.how.output.survivor;
        let mut order = Vec::new();
        for rule in rules {
            match &rule.value {
                SurvivorRule::By(by, column) => {
                    order.push(ranked(*by, &format!("t.{}", ident(column))));
                }
                SurvivorRule::SourcePriority(sources) => order.push(self.source(sources)),
                SurvivorRule::MostComplete => order.push(self.complete()),
                SurvivorRule::First => break,
            }
        }
        if rules.is_empty() {
            order.push(self.complete());
        }
        order.push(self.id());
        order.join(", ")
    }

    fn id(&self) -> String {
        format!("t.{}", ident(&self.how.unique_id))
    }

    fn complete(&self) -> String {
        let there = self
            .columns
            .names()
            .map(|name| format!("(t.{} IS NOT NULL)::INTEGER", ident(name)));
        let there: Vec<String> = there.collect();
        format!("{} DESC", there.join(" + "))
    }

    fn source(&self, sources: &comboi_project::SourceOrder) -> String {
        let column = self.how.how.source.as_ref().unwrap_or(&self.how.unique_id);
        let listed: Vec<String> = sources.0.iter().map(|source| text(source)).collect();
        format!(
            "coalesce(nullif(list_position([{}], CAST(t.{} AS VARCHAR)), 0), {})",
            listed.join(", "),
            ident(column),
            listed.len() + 1
        )
    }
}

fn ranked(by: Ranked, value: &str) -> String {
    match by {
        Ranked::Greatest => format!("{value} DESC NULLS LAST"),
        Ranked::Smallest => format!("{value} ASC NULLS LAST"),
        Ranked::Longest => format!("length(CAST({value} AS VARCHAR)) DESC NULLS LAST"),
    }
}
