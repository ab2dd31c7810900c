use std::sync::Arc;

use comboi_project::{Contract, NamedContract};

use super::*;

fn contract(yaml: &str) -> Arc<Contract> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers_clean.yml");
    std::fs::write(&path, yaml).unwrap();
    let loaded =
        NamedContract::load(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.contract
}

const CUSTOMERS: &str = r#"
version: "1.0.0"
dataset: customers_clean
stage: silver
description: Cleansed customer data
schema:
  extra_columns: [processed_at]
  columns:
    - name: customer_id
      type: VARCHAR
      nullable: false
      constraints: [unique: true, pattern: "^C[0-9]{5}$"]
    - name: email_hash
      type: VARCHAR
      pii: true
    - name: born_on
      type: DATE
      pii: true
    - name: country
      type: VARCHAR(2)
      constraints: [allowed_values: [DE, FR]]
    - name: amount
      type: DECIMAL(10,2)
      constraints: [min_value: 0]
    - name: discount
      type: INTEGER
      action: quarantine
      constraints: [max_value: 100]
    - name: updated_at
      type: TIMESTAMPTZ
sla:
  freshness: { max_age_hours: 24, column: updated_at }
privacy:
  columns:
    - { column: email_hash, from: email, handling: hmac }
    - { column: born_on, handling: generalise, to: year }
    - { column: name, handling: exclude }
"#;

const SQL: &str = r"-- customers_clean: Cleansed customer data
--
-- What stands between the two marks is generated from the contract `customers_clean`: it casts to the contract's types, tidies texts
-- and leaves out rows that the contract refuses, keeps one row for each key, handles personal data.
-- `comboi build --generate-sql` writes that part anew; everything else in this file is yours, and stays.

-- comboi:begin 1 contract=customers_clean input=bronze_customers
WITH typed AS (
    SELECT
        nullif(upper(trim(CAST(customer_id AS VARCHAR))), '') AS customer_id,
        nullif(lower(trim(CAST(email AS VARCHAR))), '') AS email_hash,
        CAST(born_on AS DATE) AS born_on,
        nullif(upper(trim(CAST(country AS VARCHAR))), '') AS country,
        CAST(amount AS DECIMAL(10,2)) AS amount,
        TRY_CAST(discount AS INTEGER) AS discount,
        CAST(updated_at AS TIMESTAMP WITH TIME ZONE) AS updated_at
    FROM bronze_customers
),
cleaned AS (
    SELECT
        customer_id,
        comboi_hmac(email_hash) AS email_hash,  -- a pseudonym
        CAST(date_trunc('year', born_on) AS DATE) AS born_on,  -- generalised
        country,
        amount,
        discount,
        updated_at,
        comboi_run_at() AS processed_at
    FROM typed
    -- Set aside by the contract itself: discount_max_value
    WHERE customer_id IS NOT NULL  -- customer_id_not_null
      AND (amount IS NULL OR amount >= 0)  -- amount_min_value
    -- One row for each key: the latest.
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY updated_at DESC NULLS LAST, hash(typed)) = 1
)
-- comboi:end ";

fn generated(yaml: &str) -> Generated {
    generate(&contract(yaml), "customers_clean", "bronze_customers")
}

#[test]
fn a_contract_becomes_sql() {
    let text = place_in(None, &generated(CUSTOMERS), false).unwrap();
    let (before, after) = text.split_once("-- comboi:end ").unwrap();
    assert_eq!(format!("{before}-- comboi:end "), SQL);
    let (digest, tail) = after.split_once('\n').unwrap();
    assert_eq!(digest.len(), 16);
    assert_eq!(tail, "SELECT *\nFROM cleaned\n");
}

#[test]
fn what_a_person_wrote_stays_when_it_is_generated_again() {
    let first = place_in(None, &generated(CUSTOMERS), false).unwrap();
    let mine = first
        .replace(
            "SELECT *\nFROM cleaned\n",
            "SELECT *, amount * 2 AS twice\nFROM cleaned\n",
        )
        .replace("-- customers_clean: Cleansed", "-- mine: Cleansed");
    let other = CUSTOMERS.replace("[DE, FR]", "[de, fr]");
    let again = place_in(Some(&mine), &generated(&other), false).unwrap();
    assert!(again.starts_with("-- mine: Cleansed"), "{again}");
    assert!(
        again.ends_with("SELECT *, amount * 2 AS twice\nFROM cleaned\n"),
        "{again}"
    );
    assert!(again.contains("nullif(lower(trim(CAST(country"), "{again}");
    assert_eq!(
        place_in(Some(&mine), &generated(CUSTOMERS), false).unwrap(),
        mine
    );
}

#[test]
fn what_was_written_between_the_marks_is_not_thrown_away() {
    let first = place_in(None, &generated(CUSTOMERS), false).unwrap();
    let edited = first.replace("amount >= 0", "amount >= 1");
    assert_eq!(
        place_in(Some(&edited), &generated(CUSTOMERS), false),
        Err(Refused::Edited(7))
    );
    assert_eq!(
        place_in(Some(&edited), &generated(CUSTOMERS), true).unwrap(),
        first
    );
    assert_eq!(
        place_in(Some("SELECT 1"), &generated(CUSTOMERS), false),
        Err(Refused::NoMarks)
    );
    assert_eq!(
        place_in(Some("SELECT 1"), &generated(CUSTOMERS), true).unwrap(),
        first
    );
}

#[test]
fn drift_is_told_by_line() {
    let yaml = contract(CUSTOMERS);
    let text = place_in(None, &generated(CUSTOMERS), false).unwrap();
    assert_eq!(drift(&text, &yaml, "customers_clean"), None);
    assert_eq!(
        drift(&text.replace('\n', "\r\n"), &yaml, "customers_clean"),
        None
    );
    assert_eq!(
        drift(&text, &yaml, "orders_clean"),
        None,
        "another contract's"
    );
    assert_eq!(drift("SELECT 1", &yaml, "customers_clean"), None);
    let other = contract(&CUSTOMERS.replace("DECIMAL(10,2)", "DECIMAL(12,2)"));
    assert_eq!(
        drift(&text, &other, "customers_clean"),
        Some(Drift::Changed {
            line: 14,
            now: "CAST(amount AS DECIMAL(12,2)) AS amount,".to_owned()
        })
    );
    let edited = text.replace("amount >= 0", "amount >= 1");
    assert_eq!(
        drift(&edited, &yaml, "customers_clean"),
        Some(Drift::Edited { line: 7 })
    );
    let torn = text.replace("-- comboi:end", "-- the end");
    assert_eq!(
        drift(&torn, &yaml, "customers_clean"),
        Some(Drift::Torn { line: 7 })
    );
    assert_eq!(input_of(&text), Some("bronze_customers"));
}

#[test]
fn what_is_not_said_is_noted() {
    let yaml = CUSTOMERS
        .replace(
            "    - { column: email_hash, from: email, handling: hmac }\n",
            "",
        )
        .replace("  extra_columns: [processed_at]\n", "");
    let notes = generated(&yaml).notes.join("\n");
    for part in [
        "`email_hash` tells about a person",
        "there is no `processed_at`",
        "pseudonyms need a key",
    ] {
        assert!(notes.contains(part), "{part}\n{notes}");
    }
}

#[test]
fn a_contract_without_columns_takes_them_as_they_come() {
    let yaml =
        "version: \"1.0.0\"\ndataset: events\nschema: { columns: [], allow_extra_columns: true }\n";
    let part = generated(yaml).part;
    assert!(
        part.contains("SELECT\n        *\n    FROM bronze_customers"),
        "{part}"
    );
    assert!(
        part.contains(
            "SELECT\n        *,\n        comboi_run_at() AS processed_at\n    FROM typed"
        ),
        "{part}"
    );
}

#[test]
fn bounds_between_two_values_of_a_column_hold_for_the_same_rows() {
    let check = |sql_type: &str, constraint: &str, expected: &str| {
        let yaml = format!(
            "dataset: t\nschema: {{columns: [{{name: x, type: '{sql_type}', nullable: false, constraints: {{{constraint}}}}}]}}"
        );
        let sql = place_in(None, &generated(&yaml), false).unwrap();
        let expected = format!("AND {expected}  --");
        assert!(sql.contains(&expected), "{expected} is not in\n{sql}");
    };
    check("BIGINT", "max_value: 11.1", "x <= 11");
    check("BIGINT", "less_than: 11.1", "x < 12");
    check("BIGINT", "min_value: -0.5", "x >= 0");
    check("BIGINT", "greater_than: 1e3", "x > 1000");
    check("DECIMAL(10,2)", "min_value: 0.005", "x >= 0.01");
    check("DOUBLE", "max_value: 11.1", "x <= 11.1");
    check(
        "DATE",
        "max_value: 2024-02-29",
        "x <= CAST('2024-02-29' AS DATE)",
    );
    check(
        "DATE",
        "less_than: '2024-02-29T12:00:00'",
        "x < CAST('2024-02-29T12:00:00' AS TIMESTAMP)",
    );
    check(
        "TIMESTAMP",
        "less_than: '2024-02-29T12:00:00+01:00'",
        "x < (CAST('2024-02-29T12:00:00+01:00' AS TIMESTAMPTZ) AT TIME ZONE 'UTC')",
    );
}
