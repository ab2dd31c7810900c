//! Names in the SQL of contracts, before anything runs.

use comboi_engine::{Names, bind_contract_sql};
use comboi_project::{Column, Columns, SqlType};

use super::contract;
use crate::build::Bench;

const CONTRACT: &str = "\
schema: { columns: [{ name: amount, type: INTEGER }, { name: status, type: VARCHAR }] }
quality_rules:
  - { name: a, type: range, column: amount, min_value: 0, where: statsu <> 'x' }
  - { name: b, type: expression, expression: Amount < otto }
  - { name: c, type: custom_sql, query: 'SELECT count(*) FROM {dataset} WHERE amuont > 1' }
  - { name: d, type: failed_rows, query: 'SELECT status FROM shop GROUP BY ALL HAVING count(*) > amountt' }
  - { name: e, type: expression, expression: frobnicate(amount) }
  - { name: f, type: row_count_match, dataset: other, other_where: totl > 1 }
  - { name: g, type: row_count_match, dataset: shop, other_where: amount > 1, where: status = 'y' }
  - { name: h, type: row_count_match, dataset: unknown, other_where: totl > 1 }
";

fn check(all: bool, expected: &str) {
    let contract = contract(CONTRACT);
    let columns = |names: &[(&str, SqlType)]| {
        let column = |(name, of): &(&str, SqlType)| Column::new(*name, of.clone());
        Columns(names.iter().map(column).collect())
    };
    let own = columns(&[
        ("amount", SqlType::Integer),
        ("status", SqlType::Varchar(None)),
    ]);
    let other = columns(&[("id", SqlType::Integer), ("total", SqlType::Integer)]);
    let names = Names {
        columns: &own,
        all,
        others: &[("other", &other)],
    };
    let bench = Bench::new();
    // A second time: nothing is left behind of the first.
    for _ in 0..2 {
        let found = bind_contract_sql(&bench.session, &contract, &names).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|bad| {
                let problem = &bad.problem;
                let place = &problem.place;
                let hint = problem.hint.as_deref().unwrap_or_default();
                format!(
                    "{}:{} {} ({hint})",
                    place.line, place.column, problem.message
                )
            })
            .collect();
        assert_eq!(found.join("\n"), expected.trim());
    }
}

#[test]
fn a_name_that_is_no_column_is_told_with_the_nearest() {
    check(
        true,
        "
4:66 rule `a`: there is no column `statsu` (did you mean `status`?)
5:46 rule `b`: there is no column `otto` ()
6:41 rule `c`: there is no column `amuont` (did you mean `amount`?)
7:42 rule `d`: there is no column `amountt` (did you mean `amount`?)
8:46 rule `e`: there is no function `frobnicate` ()
9:68 rule `f`: there is no column `totl` (did you mean `total`?)
",
    );
}

#[test]
fn a_column_that_a_contract_does_not_list_may_be_there() {
    check(
        false,
        "
4:66 rule `a`: there is no column `statsu` (did you mean `status`?)
6:41 rule `c`: there is no column `amuont` (did you mean `amount`?)
7:42 rule `d`: there is no column `amountt` (did you mean `amount`?)
8:46 rule `e`: there is no function `frobnicate` ()
9:68 rule `f`: there is no column `totl` (did you mean `total`?)
",
    );
}
