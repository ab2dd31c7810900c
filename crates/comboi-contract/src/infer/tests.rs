use std::time::Duration;

use comboi_project::{SqlType, Stage};

use super::*;
use crate::facts::{ColumnFacts, Format, FormatCount};

fn column(name: &str, sql_type: &str, present: u64) -> ColumnFacts {
    ColumnFacts {
        present,
        ..ColumnFacts::new(name, sql_type.parse().unwrap())
    }
}

fn check(facts: &Facts, expected: &str) {
    let about = About {
        dataset: "customers_clean".to_owned(),
        stage: Stage::Silver,
        owner: "data-team".to_owned(),
        description: Some("Cleansed: customers".to_owned()),
        source: "customers.parquet".to_owned(),
    };
    assert_eq!(infer(facts, &about), expected);
}

#[test]
fn every_conclusion_stands_beside_its_evidence() {
    let mut id = column("customer_id", "VARCHAR", 5222);
    id.unique = Some(true);
    id.shape = Some(("C-0".to_owned(), "A-999999".to_owned()));
    let mut email = column("email", "VARCHAR", 5210);
    email.formats = vec![FormatCount {
        format: Format::Email,
        count: 5210,
    }];
    let mut status = column("status", "VARCHAR", 5222);
    status.values = vec![("active".to_owned(), 5000), ("no".to_owned(), 222)];
    let mut amount = column("amount", "DECIMAL(10,2)", 5222);
    amount.range = Some(("0.05".to_owned(), "874.20".to_owned()));
    let mut updated = column("updated_at", "TIMESTAMPTZ", 5222);
    updated.range = Some((
        "2024-01-01 00:00:00+00".to_owned(),
        "2026-01-01 00:00:00+00".to_owned(),
    ));
    updated.age = Some(Duration::from_secs(30 * 3600));
    let facts = Facts {
        rows: 5222,
        columns: vec![id, email, status, amount, updated],
        ..Facts::default()
    };
    check(
        &facts,
        r#"# Inferred from customers.parquet (5,222 rows). A comment behind a line says on what evidence it stands.
version: "1.0.0"
dataset: customers_clean
stage: silver
owner: data-team
description: "Cleansed: customers"

schema:
  extra_columns: [processed_at]  # which `--generate-sql` adds
  columns:
    - name: customer_id
      type: VARCHAR
      nullable: false  # none of 5,222 rows is NULL
      constraints:
        - unique: true  # a different value in each of 5,222 rows
        - pattern: "^C-[0-9]{6}$"  # all 5,222 values look like this
    - name: email
      type: VARCHAR
      nullable: true  # 12 of 5,222 rows are NULL
      pii: true  # suspected: it is called like e-mail addresses, and 5,210 of 5,210 values look like e-mail addresses
      constraints:
        - pattern: "^[^@\\s]+@[^@\\s]+\\.[^@\\s.]+$"  # all 5,210 values are e-mail addresses
    - name: status
      type: VARCHAR
      nullable: false  # none of 5,222 rows is NULL
      constraints:
        - allowed_values: [active, "no"]  # 5,222 values have no other, most frequent first
    - name: amount
      type: DECIMAL(10,2)
      nullable: false  # none of 5,222 rows is NULL
      constraints:
        - min_value: 0  # 5,222 values, from 0.05 to 874.20
        # - max_value: 874.20  # 5,222 values, from 0.05 to 874.20
    - name: updated_at
      type: TIMESTAMP WITH TIME ZONE
      nullable: false  # none of 5,222 rows is NULL
      # constraints:
      #   - min_value: "2024-01-01 00:00:00+00"  # 5,222 values, from 2024-01-01 00:00:00+00 to 2026-01-01 00:00:00+00

quality_rules:
  - name: minimum_rows  # there are 5,222 rows
    type: volume
    min_rows: 1
    severity: error

sla:
  freshness:
    max_age_hours: 48  # its newest value is 31 hours old
    column: updated_at
  completeness:
    min_row_count: 1  # of 5,222

privacy:
  classification: PII
  gdpr_applicable: true
  pii_columns: [email]
  # Before this is published, say of each how it is handled: hmac, sha256_unkeyed, mask, truncate, generalise,
  # exclude, or allowed. Take `pii: true` and its entry above away from what tells about nobody.
  # columns:
  #   - column: email
  #     handling: hmac
"#,
    );
}

#[test]
fn nothing_is_concluded_from_no_rows() {
    let facts = Facts {
        columns: vec![column("id", "BIGINT", 0), column("at", "DATE", 0)],
        ..Facts::default()
    };
    check(
        &facts,
        r#"# Inferred from customers.parquet (0 rows). A comment behind a line says on what evidence it stands.
version: "1.0.0"
dataset: customers_clean
stage: silver
owner: data-team
description: "Cleansed: customers"

schema:
  extra_columns: [processed_at]  # which `--generate-sql` adds
  columns:
    - name: id
      type: BIGINT
      nullable: true  # there are no rows to tell by
    - name: at
      type: DATE
      nullable: true  # there are no rows to tell by
"#,
    );
}

#[test]
fn a_combination_is_the_key_where_no_column_is() {
    let facts = Facts {
        rows: 100,
        columns: vec![
            column("order_id", "BIGINT", 100),
            column("line", "INTEGER", 100),
        ],
        keys: vec![vec!["order_id".to_owned(), "line".to_owned()]],
        ..Facts::default()
    };
    let text = infer(
        &facts,
        &About {
            dataset: "lines".to_owned(),
            stage: Stage::Silver,
            owner: "me".to_owned(),
            description: None,
            source: "x".to_owned(),
        },
    );
    assert!(text.contains("columns: [order_id, line]"), "{text}");
    assert!(
        text.contains("# no single column tells rows apart; [order_id, line] do, in 100 rows"),
        "{text}"
    );
}

#[test]
fn a_value_of_a_person_is_never_repeated() {
    let mut name = ColumnFacts::new("first_name", SqlType::Varchar(None));
    name.present = 100;
    name.values = vec![("Ada".to_owned(), 60), ("Grace".to_owned(), 40)];
    name.shape = Some(("A".to_owned(), "Aaa".to_owned()));
    let mut birth = ColumnFacts::new("birth_date", SqlType::Date);
    birth.present = 100;
    birth.range = Some(("1815-12-10".to_owned(), "1906-12-09".to_owned()));
    let facts = Facts {
        rows: 100,
        columns: vec![name, birth],
        ..Facts::default()
    };
    let about = About {
        dataset: "people".to_owned(),
        stage: Stage::Silver,
        owner: "me".to_owned(),
        description: None,
        source: "x".to_owned(),
    };
    let text = infer(&facts, &about);
    for value in ["Ada", "Grace", "1815", "1906"] {
        assert!(!text.contains(value), "{value} is in\n{text}");
    }
}
