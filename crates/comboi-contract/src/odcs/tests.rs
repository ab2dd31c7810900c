use std::path::Path;

use comboi_project::{NamedContract, yaml_as_json};

use super::*;
use crate::yaml;

/// Written after the text of the standard, with something of every section.
const DOCUMENT: &str = r##"
apiVersion: v3.1.0
kind: DataContract
id: 53581432-6c55-4ba2-a65f-72344a91553a
name: seller_payments
version: 1.1.0
status: active
domain: seller
dataProduct: payments
tenant: ClimateQuantumInc
tags: [finance]
contractCreatedTs: "2022-11-15T02:59:43+00:00"
description:
  purpose: Views built on top of the seller tables.
  limitations: Data based on seller perspective, no buyer information
  authoritativeDefinitions:
    - type: privacy-statement
      url: https://example.com/gdpr.pdf
servers:
  - server: lake
    type: azure
    location: abfss://gold@account.dfs.core.windows.net/tbl
    format: parquet
schema:
  - id: tbl_obj
    name: Payments
    physicalName: tbl_1
    physicalType: table
    businessName: Core payment metrics
    dataGranularityDescription: One row for each payment
    properties:
      - id: txn
        name: txn_ref_dt
        businessName: transaction reference date
        logicalType: date
        physicalType: date
        required: true
        partitioned: true
        partitionKeyPosition: 1
        criticalDataElement: false
        transformSourceObjects: [table_name_1]
        transformLogic: sel t1.txn_dt as txn_ref_dt from table_name_1 as t1
        examples: ["2022-10-03"]
        classification: public
      - name: payment_id
        physicalName: rcvr_id
        primaryKey: true
        primaryKeyPosition: 1
        logicalType: string
        physicalType: varchar(18)
        logicalTypeOptions: { minLength: 1, maxLength: 18 }
        required: true
        unique: true
        encryptedName: enc_rcvr_id
        authoritativeDefinitions:
          - { url: "https://example.com/rcvr", type: businessDefinition }
        relationships:
          - { type: foreignKey, to: receivers.id }
        quality:
          - name: no_nulls
            metric: nullValues
            mustBe: 0
            description: There is always a receiver
            dimension: completeness
            severity: error
            businessImpact: operational
            schedule: "0 20 * * *"
            scheduler: cron
          - id: known_values
            metric: invalidValues
            arguments: { pattern: "^[A-Z0-9]+$" }
            mustBeLessThan: 5
            unit: percent
          - type: text
            description: Must be a receiver that we know
      - name: country
        logicalType: string
        logicalTypeOptions: { pattern: "^[A-Z]{2}$" }
        quality:
          - metric: missingValues
            arguments: { missingValues: [null, "", "N/A"] }
            mustBe: 0
      - name: amount
        logicalType: number
        physicalType: decimal(10,2)
        logicalTypeOptions: { minimum: 0, multipleOf: 0.01 }
        customProperties:
          - { property: currency, value: EUR }
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - { name: sku, logicalType: string }
            - { name: quantity, logicalType: integer }
    quality:
      - name: enough_rows
        metric: rowCount
        mustBeBetween: [1, 1000000]
      - name: no_doubles
        metric: duplicateValues
        arguments: { properties: [txn_ref_dt, rcvr_id] }
        mustBeLessOrEqualTo: 3
      - name: counted
        type: sql
        query: SELECT count(*) FROM {object} WHERE amount > 1000
        mustBeLessThan: 3600
      - name: soda_says
        type: custom
        engine: soda
        implementation: "duplicate_percent(rcvr_id) < 1"
price: { priceAmount: 9.95, priceCurrency: USD, priceUnit: megabyte }
team:
  name: payments-team
  members:
    - { username: ceastwood, role: Data Scientist, dateIn: "2022-08-02" }
roles:
  - { role: reader, access: read }
support:
  - { channel: "#product-help", tool: slack, url: "https://example.com/C05UZRSBKLY" }
slaProperties:
  - { property: latency, value: 4, unit: d, element: Payments.txn_ref_dt }
  - { property: retention, value: 3, unit: y, element: Payments.txn_ref_dt }
  - { property: generalAvailability, value: "2022-05-12T09:30:10-08:00" }
customProperties:
  - { property: refRulesetName, value: gcsc.ruleset.name }
  - property: somePropertyName
    value: [a, b]
"##;

fn json(text: &str) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yml");
    std::fs::write(&path, text).unwrap();
    yaml_as_json(&path).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Through the text of a file, which has no mistakes.
fn as_file(contract: &Json) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yml");
    let text = yaml::document(contract);
    std::fs::write(&path, &text).unwrap();
    NamedContract::load(Path::new(&path), &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    yaml_as_json(&path).unwrap()
}

fn imported(document: &Json) -> (Json, Imported) {
    let imported = import(document, None).unwrap();
    let mut contract = imported.contract.clone();
    contract["odcs"] = document.clone();
    (as_file(&contract), imported)
}

#[test]
fn a_document_comes_in_and_goes_out_as_it_was() {
    let document = json(DOCUMENT);
    let (contract, imported) = imported(&document);
    assert_eq!(export(&contract), document);
    assert_eq!(imported.loose, ["country", "lines"]);
    assert_eq!(imported.object, "Payments");
    let notes = imported.notes.join("\n");
    for part in ["soda_says", "is a text, for people", "generalAvailability"] {
        assert!(notes.contains(part), "{part}\n{notes}");
    }
}

#[test]
fn what_it_says_becomes_rules() {
    let (contract, _) = imported(&json(DOCUMENT));
    let mut without = contract;
    without.as_object_mut().unwrap().remove("odcs");
    assert_eq!(
        yaml::document(&without),
        r#"version: "1.1.0"
dataset: payments
owner: payments-team
description: Views built on top of the seller tables.
tags:
  - finance
schema:
  columns:
    - name: txn_ref_dt
      type: DATE
      nullable: false
      classification: public
    - name: rcvr_id
      type: VARCHAR(18)
      nullable: false
      constraints:
        - unique: true
        - min_length: 1
        - max_length: 18
        - foreign_key:
            dataset: receivers
            column: id
    - name: country
      type: VARCHAR
      constraints:
        - pattern: "^[A-Z]{2}$"
    - name: amount
      type: "DECIMAL(10,2)"
      constraints:
        - min_value: 0
        - multiple_of: 0.01
    - name: lines
      type: "STRUCT(sku VARCHAR, quantity BIGINT)[]"
  primary_key:
    - rcvr_id
quality_rules:
  - name: no_nulls
    column: rcvr_id
    type: not_null
    severity: error
    description: There is always a receiver
    dimension: completeness
  - name: known_values
    column: rcvr_id
    constraints:
      pattern: "^[A-Z0-9]+$"
    type: validity
    must_be_less_than: 5
    unit: percent
  - name: country_missingValues_3
    column: country
    values:
      - ""
      - N/A
    type: missing
  - name: enough_rows
    type: volume
    min_rows: 1
    max_rows: 1000000
  - name: no_doubles
    columns:
      - txn_ref_dt
      - rcvr_id
    type: uniqueness
    must_be_less_or_equal_to: 3
  - name: counted
    query: "SELECT count(*) FROM {dataset} WHERE amount > 1000"
    type: custom_sql
    must_be_less_than: 3600
sla:
  freshness:
    max_age_hours: 96
    column: txn_ref_dt
  data_retention:
    max_age_days: 1095
    column: txn_ref_dt
"#
    );
}

#[test]
fn only_what_was_changed_changes() {
    let document = json(DOCUMENT);
    let (mut contract, _) = imported(&document);
    contract["version"] = "2.0.0".into();
    contract["schema"]["columns"][3]["type"] = "DECIMAL(12,2)".into();
    contract["schema"]["columns"]
        .as_array_mut()
        .unwrap()
        .push(serde_json::json!({ "name": "note", "type": "VARCHAR" }));
    let mut expected = document;
    expected["version"] = "2.0.0".into();
    expected["schema"][0]["properties"][3]["physicalType"] = "DECIMAL(12,2)".into();
    expected["schema"][0]["properties"].as_array_mut().unwrap().push(
        serde_json::json!({ "name": "note", "logicalType": "string", "physicalType": "VARCHAR" }),
    );
    assert_eq!(export(&contract), expected);
}

/// One of comboi's own, with something that the standard has no word for in every place.
const OURS: &str = r#"
version: "1.2.0"
dataset: orders_clean
stage: silver
owner: shop-data
description: One row for each order
tags: [shop]
schema:
  columns:
    - name: order_id
      type: VARCHAR
      nullable: false
      constraints:
        - unique: true
        - pattern: "^O-[0-9]{6}$"
    - name: amount
      type: "DECIMAL(10,2)"
      action: quarantine
      constraints:
        - min_value: 0
        - max_value: 99999.99
    - name: status
      type: "VARCHAR(20)"
      constraints:
        - rejected_values: [unknown]
        - allowed_values: [placed, shipped]
        - foreign_key: { dataset: states, column: name }
    - name: email
      type: VARCHAR
      pii: true
      constraints:
        - format: email
        - foreign_key: { dataset: bronze/shop/customers }
    - name: updated_at
      type: TIMESTAMP WITH TIME ZONE
      constraints:
        - min_value: "2020-01-01"
  primary_key: [order_id]
  extra_columns: [processed_at]
  foreign_keys:
    - { columns: [order_id, status], dataset: orders_all, to: [id, state] }
    - { columns: [order_id], dataset: silver/orders_paid }
quality_rules:
  - name: status_is_there
    column: status
    type: not_null
    must_be_less_than: 5
    unit: percent
    severity: warning
  - name: enough_orders
    type: volume
    min_rows: 10
  - name: later
    type: compare
    column: amount
    operator: "<"
    other_column: amount
    severity: info
  - name: some
    type: custom_sql
    query: "SELECT count(*) FROM {dataset} WHERE amount IS NULL"
    expected: 0
  - name: german
    type: not_null
    column: status
    where: "amount > 3"
sla:
  freshness: { max_age_hours: 24, column: updated_at }
  completeness: { min_row_count: 10 }
privacy:
  columns:
    - { column: email, handling: allowed, reason: we write to them }
evolution: { mode: strict }
"#;

#[test]
fn a_contract_of_comboi_s_own_goes_out_and_comes_in_as_it_was() {
    let contract = as_file(&json(OURS));
    let document = export(&contract);
    let back = import(&document, None).unwrap();
    assert_eq!(back.loose, Vec::<String>::new());
    assert_eq!(back.notes, Vec::<String>::new());
    let same = |json: &Json| {
        let path = tempfile::tempdir().unwrap();
        let path = path.path().join("orders_clean.yml");
        std::fs::write(&path, yaml::document(json)).unwrap();
        let loaded =
            NamedContract::load(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
        crate::Promise::of(&loaded.contract)
    };
    assert_eq!(same(&back.contract), same(&contract));
    // Once more, and it is the same document.
    assert_eq!(export(&back.contract), document);
}

#[test]
fn relationships_are_foreign_keys_where_it_is_known_of_what() {
    let document = json(
        r#"
apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: active
schema:
  - name: Orders
    id: orders_tbl
    properties:
      - name: a
        id: a_prop
        logicalType: integer
        relationships:
          - to: Customers.number
          - to: countries.code
      - name: b
        logicalType: integer
        relationships: [{ type: foreignKey, to: /schema/customers_tbl/properties/number_prop }]
      - { name: c, logicalType: integer, relationships: [{ to: elsewhere.yaml#/schema/x/properties/y }] }
      - { name: d, logicalType: integer, relationships: [{ to: countries.code }] }
    relationships:
      - { from: [Orders.a, Orders.b], to: [Customers.number, Customers.name] }
      - { type: foreignKey, from: schema/orders_tbl/properties/a_prop, to: countries.id }
      - { from: [Orders.a, Orders.b], to: [Customers.number, countries.id] }
  - name: Customers
    id: customers_tbl
    properties:
      - { name: number, id: number_prop, physicalName: customer_no, logicalType: integer }
      - { name: name, logicalType: string }
"#,
    );
    let imported = import(&document, Some("Orders")).unwrap();
    let schema = &imported.contract["schema"];
    let column = |i: usize| schema["columns"][i].get("constraints").cloned();
    let key = |dataset: &str, column: &str| {
        Some(serde_json::json!([{ "foreign_key": { "dataset": dataset, "column": column } }]))
    };
    assert_eq!(column(0), key("customers", "customer_no"));
    assert_eq!(column(1), key("customers", "customer_no"));
    assert_eq!(column(2), None);
    assert_eq!(column(3), key("countries", "code"));
    assert_eq!(
        schema["foreign_keys"],
        serde_json::json!([
            { "columns": ["a", "b"], "dataset": "customers", "to": ["customer_no", "name"] },
            { "columns": ["a"], "dataset": "countries", "to": ["id"] },
        ])
    );
    let told =
        "is not checked: what that is in this project is not known; a `foreign_key` can say it";
    assert_eq!(
        imported.notes,
        [
            format!("`a`: its relationship to \"countries.code\" {told}"),
            format!("`c`: its relationship to \"elsewhere.yaml#/schema/x/properties/y\" {told}"),
            format!("`Orders`: its relationship to [\"Customers.number\",\"countries.id\"] {told}"),
        ]
    );
    let mut contract = imported.contract.clone();
    contract["odcs"] = document.clone();
    assert_eq!(export(&contract), document);
}

/// Quality checks, relationships and levels of service that nobody named, each with something that comboi has no word for.
const NAMELESS: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: parcels
version: 1.0.0
status: active
schema:
  - name: parcels
    properties:
      - name: parcel
        physicalName: parcel_no
        businessName: The parcel
        logicalType: string
        physicalType: varchar(12)
        relationships:
          - { to: labels.number, customProperties: [{ property: cardinality, value: one-to-one }] }
      - name: weight
        logicalType: number
        physicalType: double
        quality:
          - { type: text, description: Heavy ones are rare, businessImpact: operational }
          - { metric: nullValues, mustBe: 0, businessImpact: operational, schedule: "0 20 * * *" }
          - { metric: missingValues, arguments: { missingValues: [null, -1] }, mustBeLessThan: 5, unit: percent, method: sampled }
          - { metric: invalidValues, arguments: { validValues: [null, 1, 2] }, mustBeLessThan: 5, schedule: daily }
    relationships:
      - { from: [parcels.parcel, parcels.weight], to: [labels.number, labels.weight], customProperties: [{ property: a, value: 1 }] }
    quality:
      - { type: custom, engine: soda, implementation: "row_count > 0", scheduler: cron }
      - { metric: rowCount, mustBeGreaterThan: 10, businessImpact: regulatory }
  - name: labels
    properties: [{ name: number, logicalType: string }, { name: weight, logicalType: number }]
slaProperties:
  - { property: retention, value: 1, unit: y, element: labels.printed, driver: analytics }
  - { property: retention, value: 2, unit: y, element: parcels.parcel_no, driver: regulatory }
"#;

#[test]
fn a_change_leaves_alone_what_stands_around_it_and_has_no_name() {
    let document = json(NAMELESS);
    let imported = import(&document, Some("parcels")).unwrap();
    let mut contract = imported.contract.clone();
    contract["odcs"] = document.clone();
    assert_eq!(export(&contract), document);
    let mut expected = document;
    // A column that the data call otherwise, its key, and rules of a column and of the object.
    contract["schema"]["columns"][0]["description"] = "What is sent".into();
    expected["schema"][0]["properties"][0]["description"] = "What is sent".into();
    assert_eq!(export(&contract), expected);
    let rules = contract["quality_rules"].as_array_mut().unwrap();
    assert_eq!(rules.len(), 4);
    rules[1]["must_be_less_than"] = 2.into();
    rules[2]["must_be_less_than"] = 3.into();
    rules[3]["must_be_greater_than"] = 20.into();
    expected["schema"][0]["properties"][1]["quality"][2]["mustBeLessThan"] = 2.into();
    expected["schema"][0]["properties"][1]["quality"][3]["mustBeLessThan"] = 3.into();
    expected["schema"][0]["quality"][1]["mustBeGreaterThan"] = 20.into();
    assert_eq!(export(&contract), expected);
    contract["sla"]["data_retention"]["max_age_days"] = 800.into();
    let level = &mut expected["slaProperties"][1];
    level["value"] = 800.into();
    level["unit"] = "d".into();
    assert_eq!(export(&contract), expected);
    // What is taken away goes, and nothing else.
    contract["quality_rules"].as_array_mut().unwrap().remove(0);
    expected["schema"][0]["properties"][1]["quality"]
        .as_array_mut()
        .unwrap()
        .remove(1);
    assert_eq!(export(&contract), expected);
    contract["schema"]["columns"][0]["constraints"] = serde_json::json!([]);
    expected["schema"][0]["properties"][0]
        .as_object_mut()
        .unwrap()
        .remove("relationships");
    assert_eq!(export(&contract), expected);
    contract["schema"]["columns"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    expected["schema"][0]["properties"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    assert_eq!(export(&contract), expected);
    assert_eq!(told_by_the_schema(&[expected]), "");
}

#[test]
fn a_document_that_describes_no_columns_welcomes_any_and_is_kept() {
    for schema in [
        "",
        "schema: []",
        "schema: [{ name: people, physicalType: topic }]",
    ] {
        let document = json(&format!(
            "{}\n{schema}\n",
            "\
apiVersion: v3.0.2
kind: DataContract
id: 0f6a
name: people
version: 1.0.0
status: in development
servers: [{ server: events, type: kafka, host: \"broker:9092\" }]
roles: [{ role: reader, access: read }]"
        ));
        let (contract, imported) = imported(&document);
        assert_eq!(contract["dataset"], "people");
        assert_eq!(
            contract["schema"],
            serde_json::json!({ "columns": [], "allow_extra_columns": true })
        );
        assert_eq!(
            imported.notes,
            [
                "`people` has no properties, so any column is welcome: list some under `columns`, and take `allow_extra_columns` away"
            ]
        );
        assert_eq!(export(&contract), document, "{schema}");
        // Later somebody lists one.
        let mut contract = contract;
        contract["schema"]["columns"] = serde_json::json!([{ "name": "a", "type": "DATE" }]);
        let document = export(&contract);
        assert_eq!(document["roles"][0]["role"], "reader");
        let properties = &document["schema"][0]["properties"];
        assert_eq!(
            *properties,
            serde_json::json!([{ "name": "a", "logicalType": "date", "physicalType": "DATE" }])
        );
        let again = import(&document, Some("people")).unwrap().contract;
        assert_eq!(again["schema"], contract["schema"], "{schema}");
        assert_eq!(told_by_the_schema(&[document]), "");
    }
}

#[test]
fn what_a_document_leaves_to_others_is_told_and_not_checked() {
    let document = json(
        r#"
apiVersion: v3.0.2
kind: DataContract
id: a
version: 1.0.0
status: active
owner: me
schema:
  - name: stock
    properties:
      - { name: state, logicalType: string, tag: [b], quality: [{ metric: invalidValues, arguments: { validValues: [null, new, ""] }, mustBe: 0 }] }
      - { name: nothing, logicalType: string, logicalTypeOptions: { minLenght: 1 }, quality: [{ metric: invalidValues, arguments: { validValues: [null] }, mustBe: 0 }] }
    quality:
      - { type: sql, query: "SELECT count(*) FROM ${table} WHERE day > ${SINCE}", mustBe: 0 }
      - { type: sql, query: "SELECT count(*) FROM ${table}", mustBe: 5 }
team: [{ username: otto, comment: away }]
customProperties: [{ value: 1, name: x }]
slaProperties:
  - { property: latency, value: 1, unit: d, element: stocks.day }
"#,
    );
    let (contract, imported) = imported(&document);
    assert_eq!(
        contract["quality_rules"],
        serde_json::json!([
            { "name": "state_invalidValues_1", "column": "state", "constraints": { "allowed_values": ["new", ""] }, "type": "validity" },
            { "name": "stock_sql_2", "query": "SELECT count(*) FROM {dataset}", "type": "custom_sql", "expected": 5 },
        ])
    );
    assert_eq!(
        imported.notes,
        [
            "`nothing`: `minLenght` is not checked",
            "`nothing_invalidValues_2` says neither values nor a pattern, and is not checked",
            "`stock_sql_2` is not checked: its query has variables, and what they stand for is not in the document",
            "`latency` is of `stocks`, which the document does not describe, and is not checked",
            "the standard has no `owner`; it is kept, and not checked",
            "the standard has no `comment` at `team.otto`; it is kept, and not checked",
            "the standard has no `name` at `customProperties.x`; it is kept, and not checked",
            "the standard has no `tag` at `schema.stock.properties.state` (did you mean `tags`?); it is kept, and not checked",
            "the standard has no `minLenght` at `schema.stock.properties.nothing.logicalTypeOptions` (did you mean `minLength`?); it is kept, and not checked",
        ]
    );
    assert_eq!(export(&contract), document);
    // A later version has words that are not known here.
    let mut later = document;
    later["apiVersion"] = "v3.2.0".into();
    let notes = import(&later, None).unwrap().notes;
    assert!(
        notes.iter().all(|it| !it.starts_with("the standard has")),
        "{notes:?}"
    );
}

#[test]
fn a_length_in_brackets_makes_no_list_of_a_text() {
    let of = |physical: &str, logical: &str| {
        let property = serde_json::json!({ "physicalType": physical, "logicalType": logical });
        types::sql_type(&property)
    };
    let told = |sql_type: &str| (sql_type.to_owned(), false);
    assert_eq!(of("varchar[50]", "string"), told("VARCHAR(50)"));
    assert_eq!(of("varchar[50]", "array"), told("VARCHAR[50]"));
    assert_eq!(of("varchar[]", "array"), told("VARCHAR[]"));
    assert_eq!(of("numeric[8]", "number"), told("DECIMAL(8,0)"));
    assert_eq!(
        of("numeric", "number"),
        ("DECIMAL(18,3)".to_owned(), true),
        "of any width"
    );
    assert_eq!(of("money", "number"), told("DECIMAL(19,4)"));
    assert_eq!(of("serial", "number"), told("INTEGER"));
    assert_eq!(of("bigserial", "number"), told("BIGINT"));
    assert_eq!(of("bpchar", "string"), told("VARCHAR"));
    assert_eq!(
        of("xml[]", "string"),
        ("VARCHAR".to_owned(), true),
        "what is no type"
    );
}

/// What the standard's own JSON Schema says of documents; nothing, if all is well.
fn told_by_the_schema(documents: &[Json]) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    const SCRIPT: &str = "\
import json, sys
from importlib import resources
import jsonschema
schema = json.load(open(sys.argv[1] + '/open_data_contract_standard/schema.json'))
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
for n, document in enumerate(json.load(sys.stdin)):
    for error in kind(schema).iter_errors(document):
        print(n, error.json_path, error.message[:200])
";
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/odcs");
    assert!(
        tools
            .join("open_data_contract_standard/schema.json")
            .is_file(),
        "the standard's JSON Schema is not here; run: scripts/install-needs test"
    );
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(&tools)
        .env("PYTHONPATH", &tools)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_vec(documents).unwrap();
    python.stdin.take().unwrap().write_all(&text).unwrap();
    let said = python.wait_with_output().unwrap();
    assert!(said.status.success());
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn what_goes_out_is_as_the_schema_of_the_standard_wants_it() {
    let ours = export(&as_file(&json(OURS)));
    let (changed, _) = imported(&json(DOCUMENT));
    let mut changed = changed;
    changed["schema"]["columns"][3]["type"] = "DECIMAL(12,2)".into();
    assert_eq!(told_by_the_schema(&[ours.clone(), export(&changed)]), "");
    // The test of the test.
    let mut wrong = ours;
    wrong["schema"][0]["properties"][0]["logicalType"] = "txt".into();
    wrong["otto"] = 1.into();
    let said = told_by_the_schema(&[wrong]);
    assert!(said.contains("txt") && said.contains("otto"), "{said}");
}

#[test]
fn what_is_no_such_document_is_said() {
    let check = |text: &str, object: Option<&str>, expected: &str| {
        assert_eq!(import(&json(text), object).unwrap_err(), expected);
    };
    check(
        "a: 1",
        None,
        "it is no document of the Open Data Contract Standard: it has no `apiVersion` and `kind: DataContract`",
    );
    check(
        "apiVersion: v2.2.0\nkind: DataContract",
        None,
        "it is of version v2.2.0 of the standard; 3.0 and 3.1 can be read",
    );
    check(
        "apiVersion: v3.1.0\nkind: DataContract",
        None,
        "it describes no object (`schema` is empty), and has no `name` that could be a dataset's; give it one",
    );
    check(
        "apiVersion: v3.1.0\nkind: DataContract\nid: shop-1",
        Some("orders"),
        "it describes no object, so it is of `shop_1`, not of `orders`",
    );
    check(
        "apiVersion: v3.1.0\nkind: DataContract\nschema: [{name: a}, {name: b}]",
        None,
        "say which object is meant: a, b",
    );
    check(
        "apiVersion: v3.1.0\nkind: DataContract\nschema: [{name: a}, {name: b}]",
        Some("c"),
        "say which object is meant: a, b",
    );
}
