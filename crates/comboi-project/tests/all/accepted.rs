//! What is written, and what it means.

use comboi_project::{DatasetId, NoVault, Rule, RuleKind, Source, Stage};

use crate::load;

const BIG: &str = r#"
    == configs/p.yml
    key_vault:
      vault_url: "https://example.vault.azure.net/"
    queue:
      name: work
      connection_string: "{{keyvault:queue}}"
    sources:
      - name: crm_database
        type: azure_sql
        connection:
          dsn: "Driver={ODBC Driver 18 for SQL Server};Server=tcp:db;Uid=me;Pwd={{keyvault:azure-sql-password}};Encrypt=yes;"
        checkpoint_key: "crm_database"
        tables:
          - name: customers
            query: "SELECT customer_id, updated_at FROM dbo.customers"
            incremental_column: "updated_at"
          - name: orders
            query: "SELECT order_id, order_date FROM dbo.orders"
            incremental_column: "order_date"
      - name: web
        type: postgres
        connection:
          conn_str: "host=db password=hunter2"
        tables:
          - name: visits
            query: SELECT 1
    stages:
      bronze:
        checkpoint_path: "checkpoints/bronze.json"
        local_path: "data/bronze"
        data_lake:
          account_name: "{{env:ACCOUNT}}"
          file_system: "bronze"
          credential: "{{keyvault:adls-storage-key}}"
        remote_path_template: "{stage}/{source}/{table}.parquet"
      silver:
        local_path: "data/silver"
        transformations_path: "transformations/sql"
        contracts_path: "promises"
      gold:
        local_path: "data/gold"
    engine:
      threads: "{{env:THREADS}}"
      memory_limit: "{{env:MEMORY|1.5GB}}"
    monitoring:
      log_level: WARNING
    == configs/p-transformations.yml
    silver:
      - name: customers_clean
        type: sql
        inputs:
          - alias: bronze_customers
            stage: bronze
            source_path: "crm_database/customers.parquet"
        quality_checks:
          - contract:customers_clean
    gold:
      - name: customer_metrics
        tags: [daily]
        inputs:
          - alias: customers
            stage: silver
            source_path: "refined/customers_clean.parquet"
          - dataset: crm_database/orders
    == transformations/sql/customers_clean.sql
    SELECT * FROM bronze_customers
    == transformations/sql/customer_metrics.sql
    SELECT count(*) FROM customers
    == promises/customers_clean.yml
    version: "1.0.0"
    dataset: "customers_clean"
    stage: "silver"
    owner: "data-team"
    description: "Customers"
    schema:
      columns:
        - name: customer_id
          type: VARCHAR
          nullable: false
          constraints:
            - unique: true
            - not_null: true
        - name: email
          type: VARCHAR(80)
          classification: PII
          constraints: { pattern: '^[^@]+@[^@]+$', max_length: 80 }
        - name: country
          type: VARCHAR
          nullable: false
          constraints:
            - allowed_values: [DE, NO, "FR"]
        - name: spent
          type: DECIMAL(18,2)
          constraints:
            - min_value: 0.00
            - unique: false
        - name: signed_up
          type: DATE
        - name: updated_at
          type: timestamp
    quality_rules:
      - name: "ids"
        type: "not_null"
        column: "customer_id"
        severity: "error"
      - name: "pairs"
        type: "uniqueness"
        columns: [customer_id, country]
        severity: warning
      - name: "rows"
        type: "volume"
        min_rows: 1
      - name: "consent"
        type: "custom_sql"
        query: "SELECT COUNT(*) FROM {dataset} WHERE spent < 0"
        expected: 0
        severity: info
    sla:
      freshness:
        max_age_hours: 24
      completeness:
        min_row_count: 10
      data_retention:
        max_age_days: 2555
    privacy:
      classification: "internal"
      gdpr_applicable: true
      data_subject_rights: ["access", "erasure"]
"#;

#[test]
fn what_the_python_version_reads_is_read() {
    let project = load(BIG).unwrap();
    assert_eq!(project.name.as_str(), "p");
    let ids: Vec<String> = project
        .dataset_ids()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        ids,
        [
            "bronze/crm_database/customers",
            "bronze/crm_database/orders",
            "bronze/web/visits",
            "silver/customers_clean",
            "gold/customer_metrics"
        ]
    );
    let inputs = |id: &str| {
        let dataset = project.dataset(&id.parse().unwrap()).unwrap();
        dataset
            .inputs
            .iter()
            .map(|input| format!("{}={}", input.alias, input.dataset))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        inputs("silver/customers_clean"),
        ["bronze_customers=bronze/crm_database/customers"]
    );
    assert_eq!(
        inputs("gold/customer_metrics"),
        [
            "customers=silver/customers_clean",
            "orders=bronze/crm_database/orders"
        ]
    );
    assert_eq!(
        project.engine.threads.as_ref().map(|threads| threads.value),
        Some(3)
    );
    assert_eq!(
        project
            .engine
            .memory_limit
            .as_ref()
            .map(|limit| limit.bytes()),
        Some(1_500_000_000)
    );
    assert_eq!(project.monitoring.log_level.as_str(), "warn");
    let bronze = project.stages.template(Stage::Bronze);
    let customers: DatasetId = "bronze/crm_database/customers".parse().unwrap();
    assert_eq!(
        bronze.path_below_stage(&customers),
        "crm_database/customers.parquet"
    );
}

#[test]
fn every_promise_is_a_rule() {
    let project = load(BIG).unwrap();
    let dataset = project
        .dataset(&"silver/customers_clean".parse().unwrap())
        .unwrap();
    let contract = &dataset.contracts[0].contract;
    let line = |rule: Rule| {
        let what = match &rule.kind {
            RuleKind::NotNull { columns } | RuleKind::Unique { columns } => columns.join("+"),
            RuleKind::MinValue { column, value } | RuleKind::MaxValue { column, value } => {
                format!("{column} {}", value.text)
            }
            RuleKind::MinLength { column, length } | RuleKind::MaxLength { column, length } => {
                format!("{column} {length}")
            }
            RuleKind::Pattern { column, pattern } => format!("{column} {pattern}"),
            RuleKind::AllowedValues { column, values } => {
                format!(
                    "{column} {}",
                    values
                        .iter()
                        .map(|value| value.text.as_str())
                        .collect::<Vec<_>>()
                        .join("|")
                )
            }
            RuleKind::RowCount { min, max } => format!("{min:?} {max:?}"),
            RuleKind::CustomSql { query, expected } => format!(
                "{} = {} ({}:{})",
                query.value,
                expected.as_ref().unwrap().text,
                query.place.line,
                query.place.column
            ),
            RuleKind::Freshness { column, max_age } => format!("{column} {max_age:?}"),
            other => panic!("{other:?}"),
        };
        format!(
            "{}:{} {} {} {} {what}",
            rule.place.line,
            rule.place.column,
            rule.severity,
            rule.name,
            rule.kind.as_str()
        )
    };
    let found: Vec<String> = contract.rules().into_iter().map(line).collect();
    assert_eq!(
        found,
        [
            "12:11 error customer_id_unique unique customer_id",
            "13:11 error customer_id_not_null not_null customer_id",
            "17:22 error email_pattern pattern email ^[^@]+@[^@]+$",
            "17:48 error email_max_length max_length email 80",
            "20:17 error country_not_null not_null country",
            "22:11 error country_allowed_values allowed_values country DE|NO|FR",
            "26:11 error spent_min_value min_value spent 0.00",
            "33:5 error ids not_null customer_id",
            "37:5 warning pairs unique customer_id+country",
            "41:5 error rows row_count Some(1) None",
            "44:5 info consent custom_sql SELECT COUNT(*) FROM {dataset} WHERE spent < 0 = 0 (46:12)",
            "51:5 error sla_freshness freshness updated_at 86400s",
            "53:20 error sla_completeness row_count Some(10) None",
        ]
    );
    let personal: Vec<&str> = ["customer_id", "EMAIL", "unknown"]
        .into_iter()
        .filter(|name| contract.is_personal(name))
        .collect();
    assert_eq!(personal, ["EMAIL"]);
}

#[test]
fn no_debug_output_has_a_password() {
    let project = load(BIG).unwrap();
    let debug = format!("{project:?}");
    assert!(debug.contains("{{keyvault:azure-sql-password}}"));
    assert!(!debug.contains("hunter2") && !debug.contains("Uid=me"));
}

#[test]
fn secrets_stay_out_until_they_are_used() {
    let project = load(BIG).unwrap();
    let Source::AzureSql(crm) = &project.sources[0] else {
        panic!("it is the first")
    };
    let dsn = crm.connection.dsn.as_ref().unwrap();
    let names: Vec<&str> = dsn.secret_names().map(|name| name.as_str()).collect();
    assert_eq!(names, ["azure-sql-password"]);
    let Err(error) = dsn.resolve(&NoVault) else {
        panic!("there is no vault")
    };
    assert_eq!(
        error.to_string(),
        "the secret `azure-sql-password` that configs/p.yml:10:12 uses could not be read"
    );
}

#[test]
fn the_environment_can_not_smuggle_in_a_secret() {
    let project = load(
        r#"
        == configs/p.yml
        sources:
          - { name: crm, type: azure_sql, connection: { dsn: "x{{env:TRICKY}}" }, tables: [{ name: a, query: SELECT 1 }] }
        "#,
    )
    .unwrap();
    let Source::AzureSql(crm) = &project.sources[0] else {
        panic!("it is the first")
    };
    assert_eq!(
        crm.connection.dsn.as_ref().unwrap().plain_text(),
        Some("x{{keyvault:stolen}}")
    );
}

#[test]
fn plain_words_are_texts_where_texts_are_wanted() {
    let project = load(
        r#"
        == configs/p.yml
        sources:
          - name: s
            type: files
            tables:
              - name: a
                files: "a.csv"
                description: 007
                csv: { null_values: [NO, null_value, 1.0, "~"] }
        "#,
    )
    .unwrap();
    let (_, table) = project.files_table(&"bronze/s/a".parse().unwrap()).unwrap();
    assert_eq!(table.description.as_deref(), Some("007"));
    assert_eq!(
        table.csv.null_values.as_ref().unwrap().0,
        ["NO", "null_value", "1.0", "~"]
    );
}

#[test]
fn a_table_follows_its_source_unless_it_says_otherwise() {
    let project = load(
        r#"
        == configs/p.yml
        sources:
          - name: s
            type: files
            on_bad_row: quarantine
            metadata_columns: false
            tables:
              - { name: a, files: a.csv }
              - { name: b, files: b.csv, on_bad_row: fail, metadata_columns: true, incremental_column: at }
        "#,
    )
    .unwrap();
    let shown = |id: &str| {
        let (source, table) = project.files_table(&id.parse().unwrap()).unwrap();
        let policies = source.policies(table);
        format!(
            "{} {} {} {} {}",
            policies.on_bad_row,
            policies.on_schema_change,
            policies.on_changed_file,
            policies.metadata_columns,
            table.incremental()
        )
    };
    assert_eq!(
        shown("bronze/s/a"),
        "quarantine evolve report false new_files"
    );
    assert_eq!(shown("bronze/s/b"), "fail evolve report true column");
}

#[test]
fn the_folder_is_found_from_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    crate::write(
        folder.path(),
        "== conf/Our Shop 2.yml\nsources: []\n== transformations.yml\nsilver: []\n",
    );
    let project =
        comboi_project::Project::load(&folder.path().join("conf/Our Shop 2.yml"), &|_| None)
            .unwrap();
    assert_eq!(project.name.as_str(), "our_shop_2");
    assert_eq!(project.folder, folder.path().join("conf"));
    assert_eq!(
        project.path("logs/a.log"),
        folder.path().join("conf/logs/a.log")
    );
}

#[test]
fn the_age_of_a_dataset_is_told_by_its_most_telling_column() {
    let column = |columns: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yml");
        let contract = format!(
            "dataset: a\nschema: {{ columns: [{columns}] }}\nsla: {{ freshness: {{ max_age_hours: 0.5 }} }}\n"
        );
        std::fs::write(&path, contract).unwrap();
        let named = comboi_project::NamedContract::load(&path, &|_| None).unwrap();
        named.contract.freshness_column().unwrap().to_owned()
    };
    let at = |name: &str| format!("{{ name: {name}, type: TIMESTAMP }}");
    assert_eq!(
        column(&[at("Created_At"), at("UPDATED_AT"), at("x")].join(", ")),
        "UPDATED_AT"
    );
    assert_eq!(
        column(&[at("born"), "{ name: updated_at, type: VARCHAR }".to_owned()].join(", ")),
        "born"
    );
    assert_eq!(column("{ name: id, type: INTEGER }"), "updated_at");
}

#[test]
fn how_old_a_row_is_is_not_told_by_when_it_was_handled() {
    let column = |columns: &str, sla: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yml");
        let contract = format!(
            "dataset: a\nschema: {{ columns: [{columns}] }}\nsla: {{ data_retention: {{ max_age_days: 30 }}{sla} }}\n"
        );
        std::fs::write(&path, contract).unwrap();
        let named = comboi_project::NamedContract::load(&path, &|_| None).unwrap();
        named.contract.kept_for().unwrap().column
    };
    let at = |names: &[&str]| {
        let columns = names
            .iter()
            .map(|name| format!("{{ name: {name}, type: DATE }}"));
        columns.collect::<Vec<_>>().join(", ")
    };
    let by = |column: &str| format!(", freshness: {{ max_age_hours: 1, column: {column} }}");
    assert_eq!(column(&at(&["created_at", "Updated_at"]), ""), "Updated_at");
    assert_eq!(
        column(&at(&["loaded_at", "born", "processed_at"]), ""),
        "born"
    );
    let both = at(&["updated_at", "seen", "loaded_at"]);
    assert_eq!(column(&both, &by("seen")), "seen");
    assert_eq!(column(&both, &by("loaded_at")), "updated_at");
    assert_eq!(column("{ name: id, type: INTEGER }", ""), "updated_at");
}
